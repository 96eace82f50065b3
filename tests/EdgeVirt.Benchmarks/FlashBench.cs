using System.Diagnostics;
using System.Globalization;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// The published <c>edgevirt flash</c>, which reads everything back, beside <c>bmaptool copy</c>, which does not: the same compressed image with the same map to the same loop
/// device on a file whose space is taken already, and to a new file, in turns, medians of wall time. Without an image of one's own it is 1 GiB with 30 % data, half of that machine code, half random.
/// </summary>
internal static class FlashBench
{
    private const int Warm = 1;
    private const int Runs = 9;
    private const long ImageBytes = 1L << 30;
    private const double DataShare = 0.3;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    public static async Task<BenchResult> RunAsync(string? image)
    {
        using var directory = new TempDirectory();
        image = image is null ? await MakeImageAsync(directory) : Path.GetFullPath(image);
        var card = directory.Combine("card");
        await ExecuteAsync("dd", "if=/dev/zero", $"of={card}", "bs=1M", string.Create(CultureInfo.InvariantCulture, $"count={CardMiB(image)}"), "conv=fsync");
        using var loop = LoopDevice.Attach(card);
        var device = await CompareAsync(image, loop.Path);
        var file = await CompareAsync(image, directory.Combine("file"));
        return new BenchResult(
            "flash", ("wall_ratio_bmaptool", device.Ours / device.Theirs), ("wall_ratio_bmaptool_file", file.Ours / file.Theirs),
            ("ours_ms", device.Ours), ("bmaptool_ms", device.Theirs), ("ours_file_ms", file.Ours), ("bmaptool_file_ms", file.Theirs));
    }

    private static async Task<(double Ours, double Theirs)> CompareAsync(string image, string target)
    {
        List<double> ours = [];
        List<double> theirs = [];
        for (var turn = 0; turn < Warm + Runs; turn++)
        {
            var one = await TimeAsync(target, PublishedBinaries.Cli, "flash", image, "--to", target, "--quiet");
            var other = await TimeAsync(target, "bmaptool", "--quiet", "copy", image, target);
            if (turn >= Warm)
            {
                ours.Add(one);
                theirs.Add(other);
            }
        }

        Print($"edgevirt flash to {target}", ours);
        Print($"bmaptool copy to {target}", theirs);
        return (Samples.Median(ours), Samples.Median(theirs));
    }

    private static long CardMiB(string image)
    {
        var map = File.ReadAllText((image.EndsWith(".zst", StringComparison.Ordinal) ? image[..^4] : image) + ".bmap");
        return (long.Parse(map.Split("<ImageSize>")[1].Split('<')[0], CultureInfo.InvariantCulture) >> 20) + 64;
    }

    private static async Task<string> MakeImageAsync(TempDirectory directory)
    {
        var path = directory.Combine("node.img");
        var program = await File.ReadAllBytesAsync(PublishedBinaries.Cli);
        var random = new Random(5);
        using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(file, ImageBytes);
            RandomAccess.Write(file, program.AsSpan(0, 1 << 20), 0);
            long data = 1 << 20;
            for (long at = 2 << 20; data < ImageBytes * DataShare; data += 1 << 20)
            {
                // Parts of 1 to 8 MiB; what is left is spread between them.
                var part = new byte[1 << 20];
                if (random.Next(2) == 0)
                {
                    random.NextBytes(part);
                }
                else
                {
                    program.AsSpan(random.Next(program.Length - part.Length), part.Length).CopyTo(part);
                }

                RandomAccess.Write(file, part, at);
                at += part.Length + (random.Next(4) == 0 ? 8 << 20 : 0);
            }
        }

        await ExecuteAsync("bmaptool", "create", "-o", path + ".bmap", path);
        await ExecuteAsync("zstd", "-q", path);
        File.Delete(path);
        return path + ".zst";
    }

    private static async Task<double> TimeAsync(string target, string program, params string[] arguments)
    {
        if (!target.StartsWith("/dev/", StringComparison.Ordinal))
        {
            File.Delete(target);
        }

        await ExecuteAsync("sync");
        var began = Stopwatch.GetTimestamp();
        await ExecuteAsync(program, arguments);
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    private static Task<ProcessResult> ExecuteAsync(string program, params string[] arguments) => ProcessRunner.RunAsync(program, arguments, Patience);

    private static void Print(string name, List<double> samples) =>
        Console.WriteLine($"{name,-48} median {Samples.Median(samples),7:F0} ms, best {samples.Min(),7:F0}, worst {samples.Max(),7:F0}   ({samples.Count} runs)");
}
