using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.Memory;

/// <summary>
/// Lets machines with huge pages start one after the other: each looks whether there are enough, and has them by the time the next one looks.
/// </summary>
internal sealed class HugePageGate(HugePages pages) : IDisposable
{
    private readonly SemaphoreSlim turn = new(1, 1);

    /// <summary>Waits for its turn, which ends when what is returned is disposed of. Others do not wait.</summary>
    /// <exception cref="VmNotReadyException">There are too few.</exception>
    public async Task<IDisposable?> EnterAsync(QemuGuest guest, CancellationToken ct)
    {
        if (guest.Spec.Memory.Hugepages is not { } wanted)
        {
            return null;
        }

        await turn.WaitAsync(ct);
        var (size, needed) = ((long)wanted.PageSize.Value, (long)guest.Spec.Memory.Size.Value);
        if (pages.FreeBytes(size) is var free && free >= needed)
        {
            return new Turn(turn);
        }

        turn.Release();
        throw new VmNotReadyException(new VmProblem(ReadyReasons.ResourcesMissing, string.Create(
            CultureInfo.InvariantCulture,
            $"{needed / size} huge pages of {wanted.PageSize} are needed, {(free is { } some ? $"{some / size} are free" : "the kernel has none of that size")}; set more aside (hugepagesz= and hugepages= on the node's kernel command line, or /sys/kernel/mm/hugepages), or place the machine on another node")));
    }

    public void Dispose() => turn.Dispose();

    private sealed class Turn(SemaphoreSlim turn) : IDisposable
    {
        private int isOver;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isOver, 1) == 0)
            {
                turn.Release();
            }
        }
    }
}
