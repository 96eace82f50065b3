using System.Text;

namespace EdgeVirt.Contracts.Resources;

/// <summary>Rules of texts for a guest that hold also where they come from a Secret, which only the node reads. No reason repeats them.</summary>
public static class VirtualMachineTexts
{
    /// <summary>What keeps a text from being an SMBIOS string of type 11; null: nothing.</summary>
    public static string? OemStringProblem(byte[] text)
    {
        try
        {
            return VirtualMachineValidation.OemStringProblem(new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(text));
        }
        catch (DecoderFallbackException)
        {
            return "must be UTF-8";
        }
    }

    /// <summary>What keeps a text from being a configuration of Ignition; null: nothing that is seen from outside.</summary>
    public static string? IgnitionProblem(byte[] config) => VirtualMachineValidation.IgnitionProblem(config);
}
