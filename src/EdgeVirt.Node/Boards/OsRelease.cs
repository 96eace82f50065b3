namespace EdgeVirt.Node.Boards;

/// <summary>os-release(5).</summary>
internal static class OsRelease
{
    private static readonly string[] Places = ["etc/os-release", "usr/lib/os-release"];

    /// <summary>Its values by their names, quotes taken off; empty where there is none.</summary>
    /// <param name="root">Where /etc and /usr are.</param>
    public static IReadOnlyDictionary<string, string> Read(string root)
    {
        Dictionary<string, string> values = [];
        try
        {
            if (Places.Select(name => Path.Combine(root, name)).FirstOrDefault(File.Exists) is { } path)
            {
                foreach (var line in File.ReadLines(path))
                {
                    if (line.Split('=', 2) is [var name, var value] && !name.StartsWith('#'))
                    {
                        values[name.Trim()] = value.Trim().Trim('"', '\'');
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // As if it were not there.
        }

        return values;
    }
}
