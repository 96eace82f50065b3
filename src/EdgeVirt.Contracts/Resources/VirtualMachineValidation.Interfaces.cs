using System.Text.RegularExpressions;
using static EdgeVirt.Contracts.Resources.WorkloadValidation;

namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    private static void ValidateInterfaces(IReadOnlyList<VirtualInterfaceSpec> interfaces, string path, Validation v)
    {
        var names = new HashSet<string>();
        var addresses = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var published = new List<ContainerPort>();
        for (var i = 0; i < interfaces.Count; i++)
        {
            var (card, at) = (interfaces[i], $"{path}[{i}]");
            Name(card.Name, $"{at}.name", names, v);
            Validate(card.Bandwidth, $"{at}.bandwidth", v);
            ValidatePorts(card.Ports ?? [], $"{at}.ports", hostNetwork: false, published, v);
            if (card.MacAddress is not { } mac)
            {
                continue;
            }

            if (MacProblem(mac) is { } problem)
            {
                v.Add($"{at}.macAddress", $"'{mac}' {problem}");
            }
            else if (!addresses.Add(mac))
            {
                v.Add($"{at}.macAddress", $"'{mac}' is there twice; each interface needs its own");
            }
        }
    }

    private static string? MacProblem(string text)
    {
        if (!MacAddress().IsMatch(text))
        {
            return "must be six pairs of hexadecimal digits with ':' between them, as 52:54:00:12:34:56";
        }

        // IEEE 802: the lowest bit of the first byte marks a group.
        return (Convert.ToByte(text[..2], 16) & 1) != 0 ? "is the address of a group; the second digit must be even, as in 52:54:00:12:34:56"
            : text.All(c => c is '0' or ':') ? "is nobody's address"
            : null;
    }

    [GeneratedRegex("^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$")]
    private static partial Regex MacAddress();
}
