using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Images;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>A store in a directory of its own, with a sentinel tree beside it that nothing may touch.</summary>
internal sealed class StoreFixture : IDisposable
{
    private readonly List<ImageStore> _stores = [];
    private int _described;

    public StoreFixture()
    {
        Root = Directory.CreateTempSubdirectory("edgevirt-images-").FullName;
        Directory.CreateDirectory(Sentinel);
        File.WriteAllText(Path.Combine(Sentinel, "victim"), "untouched");
        Options = new ImageStoreOptions
        {
            ImagesDirectory = Path.Combine(Root, "data", "images"),
            QuarantineDirectory = Path.Combine(Root, "data", "quarantine"),
            Retry = new RetryLimits { Attempts = 2, FirstDelay = TimeSpan.FromMilliseconds(10), MaxDelay = TimeSpan.FromMilliseconds(20), IdleTimeout = TimeSpan.FromSeconds(5) },
            Limits = new UnpackLimits { MinFreeBytes = 1 << 20 },
        };
    }

    public string Root { get; }

    public string Sentinel => Path.Combine(Root, "sentinel");

    public string Layout => Path.Combine(Root, "layout");

    public ImageStoreOptions Options { get; set; }

    public string Layers => Path.Combine(Options.ImagesDirectory, "layers");

    public string Blobs => Path.Combine(Options.ImagesDirectory, "blobs", "sha256");

    public static ImageReference Reference(string text) =>
        ImageReference.TryParse(text, out var reference, out var problem) ? reference : throw new ArgumentException(problem);

    public ImageStore Open(TimeProvider? time = null, ILogger<ImageStore>? log = null)
    {
        var store = new ImageStore(Options, time ?? TimeProvider.System, log ?? NullLogger<ImageStore>.Instance);
        _stores.Add(store);
        return store;
    }

    public Task<StoredImage> PullLayoutAsync(string tag = "v1", ImagePullPolicy policy = ImagePullPolicy.IfNotPresent) =>
        Open().EnsureAsync(Reference($"oci:{Layout}:{tag}"), policy, CancellationToken.None);

    /// <summary>Everything in the store that is a file, or a layer.</summary>
    public IReadOnlyList<string> Stored() => Directory.Exists(Options.ImagesDirectory)
        ? [.. Directory.EnumerateFileSystemEntries(Options.ImagesDirectory, "*", SearchOption.AllDirectories)
            .Where(path => File.Exists(path) || Path.GetDirectoryName(path) == Layers).Select(path => Path.GetRelativePath(Options.ImagesDirectory, path))]
        : [];

    /// <summary>Pulls <c>registry.test/NAME</c> from a registry into a new store.</summary>
    public Task<StoredImage> PullAsync(DockerRegistry registry, string name)
    {
        Options = Options with { Registries = new Dictionary<string, RegistryAccess> { ["registry.test"] = new() { Url = registry.Url } } };
        return Open().EnsureAsync(Reference($"registry.test/{name}"), ImagePullPolicy.IfNotPresent, CancellationToken.None);
    }

    /// <summary><see cref="DescribeAsync(string)"/> of the tree that a container of an image would see.</summary>
    public async Task<string> DescribeAsync(StoredImage image)
    {
        var place = Directory.CreateDirectory(Path.Combine(Root, $"container-{++_described}")).FullName;
        string Made(string name) => Directory.CreateDirectory(Path.Combine(place, name)).FullName;
        var merged = Made("merged");
        Overlay.Mount(image.LayerDirectories, Made("upper"), Made("work"), merged);
        try
        {
            return await DescribeAsync(merged);
        }
        finally
        {
            Mounts.Unmount(merged, detach: true);
        }
    }

    /// <summary>Type, mode, owner, size, time, link target and link count of every entry, contents and attributes.</summary>
    public static async Task<string> DescribeAsync(string tree)
    {
        var entries = await RunAsync("find", tree, "-mindepth", "1", "-not", "-type", "d", "-printf", "%P|%y|%m|%U:%G|%s|%T@|%l|%n\\n",
            "-o", "-mindepth", "1", "-type", "d", "-printf", "%P|%y|%m|%U:%G|%T@\\n");
        var contents = await RunAsync("find", tree, "-type", "f", "-exec", "sha256sum", "{}", "+");
        var attributes = await RunAsync("getfattr", "-R", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", tree);
        var devices = await RunAsync("find", tree, "(", "-type", "c", "-o", "-type", "b", ")", "-exec", "stat", "-c", "%n %t:%T", "{}", "+");
        return Sorted(entries) + "\n" + Sorted(devices.Replace(tree, "", StringComparison.Ordinal)) + "\n" + Sorted(contents.Replace(tree, "", StringComparison.Ordinal)) + "\n" + attributes.Replace(tree, "", StringComparison.Ordinal);
    }

    public static async Task<string> RunAsync(string file, params string[] arguments) =>
        (await ProcessRunner.RunAsync(file, arguments, TimeSpan.FromSeconds(60))).Output;

    public void Dispose()
    {
        _stores.ForEach(store => store.Dispose());
        FileTree.Remove(Root);
    }

    private static string Sorted(string lines) => string.Join('\n', lines.Split('\n').Order(StringComparer.Ordinal));
}
