namespace EdgeVirt.Testing;

/// <summary>OCI layouts made by the recipes under <c>images/</c>, with their tag.</summary>
public static class SampleImages
{
    /// <summary>nginx on port 8080.</summary>
    public static string Web => Find("sample");

    /// <summary>A shell.</summary>
    public static string Busybox => Find("busybox");

    private static string Find(string name)
    {
        var path = RepositoryRoot.Combine("artifacts", "images", name);
        return File.Exists(Path.Combine(path, "index.json")) ? path + ":1" : throw new InvalidOperationException($"{path} is missing: run ./dev image {name} first.");
    }
}
