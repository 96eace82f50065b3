namespace EdgeVirt.Contracts.Resources;

/// <summary>Names of resources are DNS labels (RFC 1123): 1 to 63 of a-z, 0-9 and '-', not at either end.</summary>
public static class ResourceName
{
    /// <summary>Longest name, in characters.</summary>
    public const int MaxLength = 63;

    /// <summary>Whether <paramref name="name"/> is a DNS label.</summary>
    public static bool IsValid(ReadOnlySpan<char> name)
    {
        if (name.IsEmpty || name.Length > MaxLength || name[0] == '-' || name[^1] == '-')
        {
            return false;
        }

        foreach (var c in name)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-'))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>What is wrong with a name, null if nothing is.</summary>
    public static string? Problem(string name) => IsValid(name)
        ? null
        : name.Length > MaxLength
            ? $"is {name.Length} characters long; at most {MaxLength} are allowed"
            : "must be lower-case letters, digits and '-', and start and end with a letter or digit";
}
