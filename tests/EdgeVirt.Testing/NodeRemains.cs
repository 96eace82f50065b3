namespace EdgeVirt.Testing;

/// <summary>Ends what agents leave running by design: monitors, containers, mounts, control groups, namespaces.</summary>
public static class NodeRemains
{
    /// <summary>Removes everything of the nodes that use these network namespaces and directories.</summary>
    /// <param name="namespaces">Names below /run/netns; they are deleted too.</param>
    /// <param name="directories">Data and run directories; their contents stay.</param>
    /// <exception cref="InvalidOperationException">Something could not be removed; the message lists it.</exception>
    public static void Remove(IReadOnlyList<string> namespaces, IReadOnlyList<string> directories) =>
        Command.Run(
            RepositoryRoot.Combine("tools", "dev", "remove-node"),
            [.. namespaces.SelectMany(name => (string[])["--netns", name]), .. directories.SelectMany(path => (string[])["--dir", path])]);
}
