using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt flash IMAGE --to TARGET…</c> and <c>edgevirt flash --list</c>.</summary>
internal static class FlashCommand
{
    private static readonly Argument<string?> Image = new("image") { Description = "A .img or .img.zst file; its .img.bmap, .json and .json.sig are taken from beside it", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string[]> To = new("--to") { Description = "A disk such as /dev/sdb, or a file; may be given several times", HelpName = "target", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<bool> List = new("--list") { Description = "Shows the disks that can be taken out and that nothing uses" };
    private static readonly Option<string?> Map = new("--bmap") { Description = "The block map, if it is not beside the image", HelpName = "file" };
    private static readonly Option<string?> Key = new("--key") { Description = "PEM with the public key that images are signed with", HelpName = "file" };
    private static readonly Option<bool> RequireSignature = new("--require-signature") { Description = "Refuse an image that is not signed by --key" };
    private static readonly Option<string[]> Override = new("--override") { Description = "The exact name of a disk that is overwritten though it is built in or in use", HelpName = "name" };
    private static readonly Option<bool> Force = new("--force") { Description = "Overwrite files that hold something" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("flash", "Writes an image to cards and disks, several at a time, and reads it back")
        {
            Image, To, List, Map, Key, RequireSignature, Override, Force,
        };
        foreach (var option in CardOptions.All)
        {
            command.Add(option);
        }

        command.Does(terminal, (invocation, ct) => invocation.Get(List) ? Task.FromResult(ShowDisks(invocation)) : RunAsync(invocation, ct));
        return command;
    }

    private static int ShowDisks(Invocation invocation)
    {
        var all = invocation.Terminal.Disks.List();
        var disks = all.Where(disk => disk is { IsRemovable: true, Use: DiskUse.Free, Bytes: > 0 }).Select(ListedDisk.Of).ToList();
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, [.. disks], CliJson.Default.ListedDiskArray);
            return ExitCodes.Ok;
        }

        var table = new TableView("DISK", "SIZE", "BUS", "MODEL", "SERIAL");
        disks.ForEach(disk => disk.AddTo(table));
        if (!table.IsEmpty)
        {
            table.Write(invocation.Terminal);
        }

        var hidden = all.Count(disk => disk is { Bytes: > 0, Bus: not "loop" }) - disks.Count;
        var rest = hidden == 0 ? "" : $" Not shown: {hidden} that {(hidden == 1 ? "is" : "are")} built in or in use.";
        invocation.Note($"{(disks.Count == 0 ? "There is no card or disk that can be taken out and that nothing uses." : $"{disks.Count} to choose from.")}{rest}");
        return ExitCodes.Ok;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        if (invocation.Get(Image) is not { } path || invocation.Get(To) is not { Length: > 0 } names)
        {
            throw new CliException(ExitCodes.Usage, "give an image and where it goes: edgevirt flash IMAGE --to TARGET.", "'edgevirt flash --list' shows where it could go.");
        }

        var image = ImageSource.Open(path, invocation.Get(Map), invocation.Get(Key), invocation.Get(RequireSignature));
        foreach (var remark in image.Remarks)
        {
            invocation.Note(remark);
        }

        using var plan = image.Manifest is not null || CardOptions.All.Any(invocation.IsGiven) ? await CardPlan.ReadAsync(invocation, names.Length, ct) : null;
        var labels = invocation.Get(CardOptions.Label) is { } place ? new LabelPrinter(place) : null;
        labels?.Prepare();
        var writer = plan is null ? null : new CardWriter(plan, ct);
        var targets = new TargetChoice(invocation.Terminal, invocation.Get(Override) ?? [], invocation.Get(Force)).Open(names, image);
        var runs = targets.Select((target, index) => new TargetRun(target, index, invocation.Terminal.Time)).ToList();
        await FlashAsync(invocation, image, runs, writer, ct);
        foreach (var card in runs.Where(run => run.Fault is null).Select(run => writer?.Written.GetValueOrDefault(run.Index)).OfType<Card>())
        {
            labels?.Print(card, CardLabel.Of(card, image.Manifest?.Board ?? "unknown", image.Manifest?.Version ?? "unknown", invocation.Terminal.Now), invocation.Terminal);
        }

        return Report(invocation, image, runs);
    }

    private static async Task FlashAsync(Invocation invocation, ImageSource image, List<TargetRun> runs, ICardWriter? writer, CancellationToken ct)
    {
        using var done = new CancellationTokenSource();
        var bytes = ImageReader.Runs(image.Map).Sum(run => run.Length);
        var showing = invocation.Quiet ? Task.CompletedTask : new FlashProgress(invocation.Terminal, runs, bytes).ShowAsync(done.Token);
        try
        {
            await new Flasher(image, runs, writer).RunAsync(ct);
        }
        finally
        {
            await done.CancelAsync();
            await showing;
        }
    }

    private static int Report(Invocation invocation, ImageSource image, List<TargetRun> runs)
    {
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, FlashReport.Of(image, runs), CliJson.Default.FlashReport);
        }

        foreach (var run in runs.Where(run => run.Fault is null))
        {
            var rate = run.BytesWritten / Math.Max(0.001, run.WriteTime.TotalSeconds) / (1 << 20);
            invocation.Say(string.Create(
                CultureInfo.InvariantCulture,
                $"{run.Name}: {Description.Bytes(run.BytesWritten)} of {Description.Bytes(image.Map.ImageBytes)} written ({rate:0.#} MiB/s), read back and verified, in {run.Elapsed.TotalSeconds:0.0} s. It can be taken out."));
        }

        foreach (var fault in runs.Select(run => run.Fault).OfType<FlashFault>().DistinctBy(fault => fault.Message))
        {
            invocation.Terminal.Fail(fault.Message, fault.Hint);
        }

        return runs.Select(run => FlashFault.ExitCodeOf(run.Outcome)).FirstOrDefault(code => code != ExitCodes.Ok);
    }
}
