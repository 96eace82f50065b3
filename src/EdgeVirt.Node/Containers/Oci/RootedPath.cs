namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Follows paths in an image as the container would, so that no symbolic link leads to the node's own files.</summary>
internal static class RootedPath
{
    private const int MaxLinks = 40;

    /// <summary>Where <paramref name="path"/> in a root lies on the node; null: too many links.</summary>
    public static string? Resolve(string root, string path)
    {
        var left = new Stack<string>(Parts(path).Reverse());
        var done = new List<string>();
        for (var links = 0; left.TryPop(out var part);)
        {
            if (part == "..")
            {
                if (done.Count > 0)
                {
                    done.RemoveAt(done.Count - 1);
                }

                continue;
            }

            var here = Path.Combine([root, .. done, part]);
            if (new FileInfo(here).LinkTarget is not { } target)
            {
                done.Add(part);
                continue;
            }

            if (++links > MaxLinks)
            {
                return null;
            }

            if (target.StartsWith('/'))
            {
                done.Clear();
            }

            foreach (var next in Parts(target).Reverse())
            {
                left.Push(next);
            }
        }

        return Path.Combine([root, .. done]);
    }

    private static IEnumerable<string> Parts(string path) => path.Split('/').Where(part => part is not ("" or "."));
}
