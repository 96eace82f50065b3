using EdgeVirt.Linux;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>A disk or file of Linux as a target: says in words what its error numbers mean.</summary>
/// <param name="name">As on the command line.</param>
/// <param name="file">Open.</param>
/// <param name="isGone">Whether the system has no such disk any more.</param>
internal sealed class LinuxTarget(string name, DirectFile file, Func<bool> isGone) : IFlashTarget
{
    private const int ENXIO = 6;
    private const int ENODEV = 19;
    private const int ENOSPC = 28;
    private const int EROFS = 30;
    private const int ENOMEDIUM = 123;

    public string Name => name;

    public long Length { get; } = file.Length / 512 * 512;

    public void Read(long offset, Span<byte> buffer)
    {
        try
        {
            if (file.Read(offset, buffer) < buffer.Length)
            {
                throw new FlashFault(FlashOutcome.ReadFailed, $"{name} ends before {offset + buffer.Length}, though it said that it has {Length} bytes.", "It was left so that it does not boot. Take another card.");
            }
        }
        catch (LinuxException fault)
        {
            throw Explained(fault, offset, FlashOutcome.ReadFailed, "cannot be read");
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            file.Write(offset, bytes);
        }
        catch (LinuxException fault)
        {
            throw Explained(fault, offset, FlashOutcome.WriteFailed, "refused what was written");
        }
    }

    public void Sync()
    {
        try
        {
            file.Sync();
        }
        catch (LinuxException fault)
        {
            throw Explained(fault, null, FlashOutcome.WriteFailed, "could not keep what was written");
        }
    }

    public void Finish() => file.TryReadPartitions();

    public void Dispose() => file.Dispose();

    private FlashFault Explained(LinuxException fault, long? offset, FlashOutcome outcome, string what)
    {
        var place = offset is { } at ? $" at {at}" : "";
        return fault.Errno switch
        {
            ENODEV or ENXIO or ENOMEDIUM => Unplugged(fault, place),
            _ when isGone() => Unplugged(fault, place),
            ENOSPC => new FlashFault(FlashOutcome.TooSmall, $"{name} has no room{place}, though it said that it has {Length} bytes.", "It does not boot. Take a larger card; for a file, make room on its disk.", fault),
            EROFS => new FlashFault(outcome, $"{name} has become write-protected{place}.", "Cards do that when they are worn out. It does not boot; take another card.", fault),
            _ => new FlashFault(outcome, $"{name} {what}{place}: {fault.Message}.", "It does not boot. Try another reader or port, then another card; 'dmesg' tells what the kernel saw.", fault),
        };
    }

    private FlashFault Unplugged(LinuxException fault, string place) =>
        new(FlashOutcome.Unplugged, $"{name} was unplugged{place}.", "It does not boot. Plug it in and flash it again.", fault);
}
