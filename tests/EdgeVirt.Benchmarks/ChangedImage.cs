using System.Text.Json;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>The sample image's tree as one layer, <c>before</c> and <c>after</c> a file of average size changed, both pushed by skopeo as zstd:chunked.</summary>
internal static class ChangedImage
{
    /// <returns>What was measured, and the bytes of the layer <c>after</c>.</returns>
    public static async Task<(long Measured, long Layer)> PushAsync(string directory, Registry registry, Func<Task<long>> measure)
    {
        var source = Path.Combine(directory, "source");
        Command.Run("umoci", "unpack", "--image", SampleImages.Web, source);
        var root = Path.Combine(source, "rootfs");
        Push(directory, root, registry, "before");

        var files = new DirectoryInfo(root).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }).ToList();
        var mean = files.Average(file => file.Length);
        var changed = files.MinBy(file => Math.Abs(file.Length - mean))!;
        var bytes = await File.ReadAllBytesAsync(changed.FullName);
        for (var i = 0; i < bytes.Length; i += 100)
        {
            bytes[i] ^= 1;
        }

        await File.WriteAllBytesAsync(changed.FullName, bytes);
        Console.WriteLine($"{files.Count} files; {Path.GetRelativePath(root, changed.FullName)} changes, {changed.Length} bytes");
        var layer = Push(directory, root, registry, "after");
        return (await measure(), layer);
    }

    private static long Push(string directory, string root, Registry registry, string tag)
    {
        var (layout, bundle) = (Path.Combine(directory, tag), Path.Combine(directory, tag + "-bundle"));
        Command.Run("umoci", "init", "--layout", layout);
        Command.Run("umoci", "new", "--image", $"{layout}:1");
        Command.Run("umoci", "unpack", "--image", $"{layout}:1", bundle);
        Command.Run("cp", "-a", root + "/.", Path.Combine(bundle, "rootfs"));
        Command.Run("umoci", "repack", "--image", $"{layout}:1", bundle);
        var remote = $"docker://{registry.Url.Authority}/sample/web:{tag}";
        Command.Run("skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--dest-compress-format", "zstd:chunked", $"oci:{layout}:1", remote);
        using var manifest = JsonDocument.Parse(Command.Run("skopeo", "inspect", "--raw", "--tls-verify=false", remote));
        return manifest.RootElement.GetProperty("layers").EnumerateArray().Single().GetProperty("size").GetInt64();
    }
}
