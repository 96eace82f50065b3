using System.Diagnostics;
using System.Net;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Tests.Containers.Images;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// The sample image from one registry on loopback to an unpacked root, cold, one after the other in turns, medians: ours with
/// every digest verified and all of it synced to the disk; <c>skopeo copy</c> to an OCI layout and <c>umoci unpack</c>, which sync
/// nothing; <c>podman pull</c>. Then ours through a link that is cut every fiftieth of the image: bytes ÷ those without a cut. Then
/// a new version in which one file differs, as zstd:chunked: bytes ÷ those of the layer. Bytes are all that came back on the link.
/// </summary>
internal static class ImagePullBench
{
    private const int Warm = 1;
    private const int Runs = 7;
    private const int Cuts = 50;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static async Task<BenchResult> RunAsync()
    {
        using var directory = new TempDirectory();
        await using var registry = await Registry.StartAsync(IPAddress.Loopback);
        registry.Push(SampleImages.Web, "sample/web:1");
        var remote = $"docker://{registry.Url.Authority}/sample/web:1";
        var times = await MeasureAsync(new()
        {
            ["ours"] = place => PullAsync(place, registry.Url.Port, "1"),
            ["skopeo and umoci"] = async place =>
            {
                await RunAsync("skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", remote, $"oci:{place}/layout:1");
                await RunAsync("umoci", "unpack", "--image", $"{place}/layout:1", $"{place}/bundle");
            },
            ["podman"] = place => RunAsync("podman", "--root", $"{place}/root", "--runroot", $"{place}/run", "pull", "--quiet", "--tls-verify=false", remote),
        });

        var clean = await BytesAsync(directory.Subdirectory("clean"), registry.Url.Port, "1", long.MaxValue);
        var cut = await BytesAsync(directory.Subdirectory("cut"), registry.Url.Port, "1", clean.Bytes / (Cuts + 1));
        Console.WriteLine($"{clean.Bytes} bytes without a cut, {cut.Bytes} with {cut.Cuts}");
        var (delta, layer) = await ChangedImage.PushAsync(directory.Subdirectory("changed"), registry, async () =>
        {
            var place = directory.Subdirectory("delta");
            await PullAsync(place, registry.Url.Port, "before");
            return (await BytesAsync(place, registry.Url.Port, "after", long.MaxValue)).Bytes;
        });
        Console.WriteLine($"{delta} bytes for one changed file in a layer of {layer}");
        return new BenchResult(
            "image-pull",
            ("wall_ratio_skopeo", times["ours"] / times["skopeo and umoci"]),
            ("wall_ratio_podman", times["ours"] / times["podman"]),
            ("cut_bytes_ratio", (double)cut.Bytes / clean.Bytes),
            ("delta_share", (double)delta / layer),
            ("cuts", cut.Cuts),
            ("delta_bytes", delta),
            ("layer_bytes", layer),
            ("ours_ms", times["ours"]),
            ("skopeo_umoci_ms", times["skopeo and umoci"]),
            ("podman_ms", times["podman"]));
    }

    private static async Task<Dictionary<string, double>> MeasureAsync(Dictionary<string, Func<string, Task>> contenders)
    {
        var samples = contenders.Keys.ToDictionary(name => name, _ => new List<double>());
        for (var turn = 0; turn < Warm + Runs; turn++)
        {
            foreach (var (name, run) in contenders)
            {
                using var place = new TempDirectory();
                var began = Stopwatch.GetTimestamp();
                await run(place.Path);
                if (turn >= Warm)
                {
                    samples[name].Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                }

                if (Directory.Exists(place.Combine("root", "overlay")))
                {
                    // podman leaves a mount of its storage behind.
                    Mounts.Unmount(place.Combine("root", "overlay"), detach: true);
                }
            }
        }

        foreach (var (name, values) in samples)
        {
            Console.WriteLine($"{name,-18} median {Samples.Median(values),7:F0} ms   best {values.Min(),7:F0}   worst {values.Max(),7:F0}   ({Runs} runs)");
        }

        return samples.ToDictionary(pair => pair.Key, pair => Samples.Median(pair.Value));
    }

    private static Task<ProcessResult> RunAsync(string file, params string[] arguments) => ProcessRunner.RunAsync(file, arguments, Patience);

    private static async Task<(long Bytes, int Cuts)> BytesAsync(string place, int port, string tag, long cutAfter)
    {
        await using var proxy = new CuttingProxy(port, cutAfter);
        await PullAsync(place, proxy.Port, tag);
        return (proxy.BytesReturned, proxy.Cuts);
    }

    private static async Task PullAsync(string place, int port, string tag)
    {
        var options = new ImageStoreOptions
        {
            ImagesDirectory = Path.Combine(place, "images"),
            QuarantineDirectory = Path.Combine(place, "quarantine"),
            Registries = new Dictionary<string, RegistryAccess> { ["registry.bench"] = new() { Url = new Uri($"http://127.0.0.1:{port}") } },
        };
        using var store = new ImageStore(options, TimeProvider.System, NullLogger<ImageStore>.Instance);
        if (!ImageReference.TryParse($"registry.bench/sample/web:{tag}", out var reference, out var problem))
        {
            throw new InvalidOperationException(problem);
        }

        await store.EnsureAsync(reference, ImagePullPolicy.IfNotPresent, CancellationToken.None);
    }
}
