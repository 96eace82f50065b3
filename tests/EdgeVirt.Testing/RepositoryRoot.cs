namespace EdgeVirt.Testing;

/// <summary>The checkout that the running tests were built from.</summary>
public static class RepositoryRoot
{
    /// <summary>Absolute path of the directory that holds EdgeVirt.sln.</summary>
    public static string Path { get; } = Find();

    /// <summary>A path below the root.</summary>
    public static string Combine(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(directory.FullName, "EdgeVirt.sln")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException($"No EdgeVirt.sln above {AppContext.BaseDirectory}: run the tests from the checkout they were built in.");
    }
}
