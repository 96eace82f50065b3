using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Flash;

/// <summary>Which targets may be written to: all are looked at before the first is opened.</summary>
/// <param name="terminal">Asks, where somebody sits at it, and knows the disks.</param>
/// <param name="overrides">Exact names of disks that are written to though they are built in or in use.</param>
/// <param name="force">Files that hold something are overwritten.</param>
internal sealed class TargetChoice(Terminal terminal, IReadOnlyList<string> overrides, bool force)
{
    /// <summary>Opens every target.</summary>
    /// <exception cref="CliException">One is refused; none was written to.</exception>
    public IReadOnlyList<IFlashTarget> Open(IReadOnlyList<string> paths, ImageSource image)
    {
        var disks = paths.Select(terminal.Disks.Find).ToList();
        var twice = paths.Zip(disks, (path, disk) => disk?.Path ?? Path.GetFullPath(path)).GroupBy(path => path).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
        {
            throw new CliException(ExitCodes.Usage, $"'{twice.Key}' is given twice.", "Name each target once.");
        }

        var exclusively = disks.Select(disk => disk is null || Check(disk, image)).ToList();
        var opened = new List<IFlashTarget>();
        try
        {
            for (var i = 0; i < paths.Count; i++)
            {
                opened.Add(disks[i] is { } disk ? terminal.Disks.OpenDisk(disk, exclusively[i]) : terminal.Disks.OpenFile(paths[i], Needed(image), force));
                CheckSize(opened[i].Name, opened[i].Length, image);
            }

            return opened;
        }
        catch
        {
            opened.ForEach(target => target.Dispose());
            throw;
        }
    }

    private static long Needed(ImageSource image) => Math.Max(image.Map.ImageBytes, image.Manifest?.MinimumCardBytes ?? 0);

    /// <summary>Whether it is to be claimed: what is in use cannot be, and was named exactly.</summary>
    private bool Check(TargetDisk disk, ImageSource image)
    {
        if (disk.Bytes == 0)
        {
            throw Refused($"there is no card in '{disk.Path}'.", "Put it in, then try again.");
        }

        if (disk.IsReadOnly)
        {
            throw Refused($"'{disk.Path}' is write-protected.", "Look at the switch at the card's or adapter's side.");
        }

        CheckSize(disk.Path, disk.Bytes, image);
        var why = disk.Use switch
        {
            DiskUse.System => $"this computer runs from '{disk.Path}' ({string.Join(", ", disk.UsedFor)})",
            DiskUse.Mounted => $"'{disk.Path}' is in use ({string.Join(", ", disk.UsedFor)})",
            _ when !disk.IsRemovable && disk.Bus != "loop" => $"'{disk.Path}' is built into this computer",
            _ => null,
        };
        if (why is not null && !IsOverridden(disk, why))
        {
            throw Refused($"{why}: {Describe(disk)}.", $"{(disk.Use == DiskUse.Mounted ? "Unmount it first. " : "")}If all that is on it is to be lost, give its exact name: --override {disk.Name}.");
        }

        return disk.Use == DiskUse.Free;
    }

    private bool IsOverridden(TargetDisk disk, string why)
    {
        if (overrides.Contains(disk.Name) || overrides.Contains(disk.Path))
        {
            return true;
        }

        if (!terminal.InIsTerminal || !terminal.ErrorIsTerminal)
        {
            return false;
        }

        terminal.Error.WriteLine(Plain.Line($"Careful: {why}: {Describe(disk)}. All that is on it will be lost."));
        terminal.Error.Write($"Type its exact name ({disk.Name}) to overwrite it, anything else to leave it alone: ");
        return terminal.In.ReadLine()?.Trim() is { } answer && (answer == disk.Name || answer == disk.Path);
    }

    private static void CheckSize(string name, long bytes, ImageSource image)
    {
        if (bytes < Needed(image))
        {
            throw Refused(
                $"'{name}' is too small: it has {bytes} bytes ({Description.Bytes(bytes)}), {(bytes < image.Map.ImageBytes ? "the image" : "a card with this image must have")} {Needed(image)} ({Description.Bytes(Needed(image))}).",
                "Nothing was written. Take a larger card.");
        }
    }

    private static string Describe(TargetDisk disk) =>
        string.Join(", ", new[] { $"{disk.Vendor} {disk.Model}".Trim(), Description.Bytes(disk.Bytes), disk.Bus, disk.Serial }.Where(part => !string.IsNullOrEmpty(part)));

    private static CliException Refused(string message, string hint) => new(ExitCodes.TargetRefused, message, hint);
}
