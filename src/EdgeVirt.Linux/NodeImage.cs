namespace EdgeVirt.Linux;

/// <summary>The image that this machine runs, as /etc/os-release and the kernel's command line tell it.</summary>
/// <param name="Id">IMAGE_ID; null: it runs no node image.</param>
/// <param name="Version">IMAGE_VERSION.</param>
/// <param name="Variant">VARIANT_ID, such as <c>production</c>.</param>
/// <param name="Slot">What the boot loader calls the system that it chose (<c>rauc.slot=</c>); null: there are no slots.</param>
public sealed record NodeImage(string? Id, string? Version, string? Variant, string? Slot)
{
    private const string SlotWord = "rauc.slot=";

    /// <summary>Reads it.</summary>
    /// <param name="root">The root directory, another one in tests.</param>
    public static NodeImage Read(string root = "/")
    {
        var lines = Lines(Path.Combine(root, "etc/os-release")) ?? Lines(Path.Combine(root, "usr/lib/os-release")) ?? [];
        var words = Lines(Path.Combine(root, "proc/cmdline"))?.SelectMany(line => line.Split(' ')) ?? [];
        var slot = words.LastOrDefault(word => word.StartsWith(SlotWord, StringComparison.Ordinal))?[SlotWord.Length..];
        return new NodeImage(Value("IMAGE_ID"), Value("IMAGE_VERSION"), Value("VARIANT_ID"), string.IsNullOrEmpty(slot) ? null : slot);

        string? Value(string key) => lines
            .Where(line => line.StartsWith(key + "=", StringComparison.Ordinal))
            .Select(line => line[(key.Length + 1)..].Trim().Trim('"', '\''))
            .FirstOrDefault(value => value.Length > 0);
    }

    private static string[]? Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
