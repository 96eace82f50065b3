using System.Globalization;
using System.Text.RegularExpressions;
using EdgeVirt.Testing;
using EdgeVirt.Testing.Boards;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// The node OS of <c>qemu-arm64</c>: sizes of the image, and the time from the kernel's first line to the end of systemd's start on an emulated board, with the agent and
/// without it, in turns. Both boots are further ones: the data partition is there. Emulated seconds are not a board's.
/// </summary>
internal static partial class NodeOsBench
{
    private const string Kind = "qemu-arm64";
    private const int Runs = 3;
    private const int BootPartition = 163_840 * 512;

    // Everything of ours that starts, so that what is left is Debian's.
    private const string WithoutAgent = "systemd.mask=edgevirt-agent.service systemd.mask=edgevirt-prepare.service systemd.mask=edgevirt-good.service systemd.mask=edgevirt-screen@ttyAMA0.service";
    private const string Told = "systemd.journald.forward_to_console=1 systemd.log_level=info";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);

    public static async Task<BenchResult> RunAsync()
    {
        var image = NodeImage.Of(Kind);
        using var directory = new TempDirectory();
        using var network = new TestNetwork();
        var card = directory.Combine("bench-card.img");
        Command.Run("zstd", "-q", "-d", "-f", "--long=27", image.Compressed, "-o", card);
        Command.Run("truncate", "-s", Card.Bytes.ToString(CultureInfo.InvariantCulture), card);
        await using var board = EmulatedBoard.Create("arm64", card, network, 97);
        var slot = directory.Combine("slot.cfg");
        Command.Run("mcopy", "-n", "-o", "-i", $"{card}@@{BootPartition}", "::slot.cfg", slot);
        var original = await File.ReadAllTextAsync(slot);

        // The first boot makes the data partition and is not counted.
        await BootAsync(board, card, slot, original, Told);
        var (with, without) = (new List<Boot>(), new List<Boot>());
        for (var run = 0; run < Runs; run++)
        {
            with.Add(await BootAsync(board, card, slot, original, Told));
            without.Add(await BootAsync(board, card, slot, original, $"{Told} {WithoutAgent}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"boot {run + 1}: {with[^1].Finished:0.0} s with the agent, Ready at {with[^1].Ready:0.0} s; {without[^1].Finished:0.0} s without it"));
        }

        var (ours, plain) = (Median(with, boot => boot.Finished), Median(without, boot => boot.Finished));
        return new BenchResult(
            "node-os",
            ("image_mb", new FileInfo(image.Compressed).Length / 1e6),
            ("root_mb", image.RootBytes / 1e6),
            ("agent_boot_share", (ours - plain) / plain),
            ("ready_s", Median(with, boot => boot.Ready)),
            ("boot_s", ours),
            ("boot_without_agent_s", plain));
    }

    private static async Task<Boot> BootAsync(EmulatedBoard board, string card, string slot, string original, string words)
    {
        await File.WriteAllTextAsync(slot, original.Replace(" quiet ", $" {words} ", StringComparison.Ordinal));
        Command.Run("mcopy", "-o", "-i", $"{card}@@{BootPartition}", slot, "::slot.cfg");
        var from = board.Console.Length;
        board.PowerOn();
        try
        {
            await board.WaitForConsoleAsync("Startup finished in", from, Patience);
            var agent = !words.Contains("mask=edgevirt-agent", StringComparison.Ordinal);
            if (agent)
            {
                await board.WaitForConsoleAsync("Readiness: Ready after", from, Patience);
            }

            var shown = board.Console[from..];
            return new Boot(Seconds(Finished().Match(shown)), agent ? Seconds(Ready().Match(shown)) : 0);
        }
        finally
        {
            await board.CutPowerAsync();
        }
    }

    private static double Seconds(Match match) => match.Success
        ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
        : throw new InvalidOperationException("the console does not show when that was");

    private static double Median(IEnumerable<Boot> boots, Func<Boot, double> of) => boots.Select(of).Order().ElementAt(Runs / 2);

    [GeneratedRegex(@"\[ *([0-9.]+)\] systemd\[1\]: Startup finished in")]
    private static partial Regex Finished();

    [GeneratedRegex(@"\[ *([0-9.]+)\] edgevirt-agent\[[0-9]+\]: .*Readiness: Ready after")]
    private static partial Regex Ready();

    /// <summary>A boot, in seconds after the kernel's first line.</summary>
    private sealed record Boot(double Finished, double Ready);
}
