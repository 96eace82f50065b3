namespace EdgeVirt.Cli.Flash;

/// <summary>Where nobody has written yet how disks are found and claimed. What is missing: docs/decisions/0014-flashing.md.</summary>
internal sealed class OtherBlockTargets : IBlockTargets
{
    public IReadOnlyList<TargetDisk> List() => throw Unknown();

    public TargetDisk? Find(string path) => throw Unknown();

    public IFlashTarget OpenDisk(TargetDisk disk, bool exclusively) => throw Unknown();

    public IFlashTarget OpenFile(string path, long bytes, bool mayOverwrite) => throw Unknown();

    private static CliException Unknown() => new(
        ExitCodes.Failure, "flashing works on Linux only so far.", "Use a Linux computer (a live system from a USB stick will do), or write the image with bmaptool, Raspberry Pi Imager or balenaEtcher, without settings for the card.");
}
