using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Boards;

/// <summary>Holds one setting against <see cref="BoardSettingsValidation"/>, as if it were the only one.</summary>
internal static class SettingsCheck
{
    /// <summary>Adds each fault of a setting; false where there is one.</summary>
    /// <param name="name">What the setting is called in its file, such as <c>ethernet[2]</c>.</param>
    /// <param name="alone">Settings that have this one and no other.</param>
    /// <param name="faults">What was found so far.</param>
    public static bool IsSound(string name, BoardSettings alone, ICollection<string> faults)
    {
        var found = new Validation();
        BoardSettingsValidation.Validate(alone, found);
        foreach (var fault in found.Errors)
        {
            // Alone it is the first of its list.
            var within = fault.Field.IndexOf('.', StringComparison.Ordinal) is >= 0 and var dot ? fault.Field[dot..] : "";
            faults.Add($"{name}{within} {fault.Reason}");
        }

        return found.IsValid;
    }
}
