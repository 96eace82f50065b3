namespace EdgeVirt.Node.Containers.Images;

/// <summary>How full the data partition is.</summary>
/// <param name="TotalBytes">Its size.</param>
/// <param name="AvailableBytes">What may still be written.</param>
internal readonly record struct DiskSpace(long TotalBytes, long AvailableBytes)
{
    /// <summary>Percent, 0 to 100, of what is no longer available.</summary>
    public double UsedPercent => TotalBytes <= 0 ? 0 : 100.0 * (TotalBytes - AvailableBytes) / TotalBytes;

    /// <summary>Asks the file system that holds a directory.</summary>
    public static DiskSpace Of(string directory)
    {
        var drive = new DriveInfo(directory);
        return new DiskSpace(drive.TotalSize, drive.AvailableFreeSpace);
    }
}
