using System.Diagnostics;
using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>
/// The counter of x86-64 processors that RDTSC reads (Intel SDM vol. 3, "Time-Stamp Counter"). How fast it counts is told by few processors, so it is held
/// against CLOCK_MONOTONIC.
/// </summary>
public static partial class TimeStampCounter
{
    private const int ReadWrite = 1 | 2;
    private const int ReadExecute = 1 | 4;
    private const int PrivateAnonymous = 2 | 0x20;
    private const int PageBytes = 4096;
    private const int Samples = 32;
    private static readonly TimeSpan Stretch = TimeSpan.FromMilliseconds(250);
    private static readonly Lazy<Task<long?>> Measured = new(MeasureAsync);

    // rdtsc · shl rdx, 32 · or rax, rdx · ret
    private static ReadOnlySpan<byte> Code => [0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];

    /// <summary>
    /// Its frequency in kHz, right to some 10 parts in a million. Measured once, which takes a quarter of a second. Null: the processor is none of these, its counter does
    /// not run evenly, or this process may run no code that it writes.
    /// </summary>
    public static Task<long?> KilohertzAsync(CancellationToken ct) => Measured.Value.WaitAsync(ct);

    /// <summary>Whether the counter runs at one speed whatever the processor does, from the lines of /proc/cpuinfo.</summary>
    internal static bool IsSteady(IEnumerable<string> cpuinfo) =>
        cpuinfo.FirstOrDefault(line => line.StartsWith("flags", StringComparison.Ordinal))?.Split(' ') is { } flags
        && flags.Contains("constant_tsc") && flags.Contains("nonstop_tsc");

    internal static async Task<long?> MeasureAsync()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !IsSteady(File.ReadLines("/proc/cpuinfo")) || MapCode() is not { } code)
        {
            return null;
        }

        var (time, count) = Read(code);
        await Task.Delay(Stretch, TimeProvider.System);
        var (laterTime, laterCount) = Read(code);
        Unmap(code, PageBytes);
        return (long)((Int128)(laterCount - count) * Stopwatch.Frequency / (laterTime - time) / 1000);
    }

    private static unsafe nint? MapCode()
    {
        var page = Map(0, PageBytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (page == -1)
        {
            return null;
        }

        Code.CopyTo(new Span<byte>((void*)page, PageBytes));
        if (Protect(page, PageBytes, ReadExecute) == 0)
        {
            return page;
        }

        Unmap(page, PageBytes);
        return null;
    }

    // Of several readings the one between whose two looks at the clock the least time went by.
    private static unsafe (long Time, ulong Count) Read(nint code)
    {
        var read = (delegate* unmanaged<ulong>)code;
        var (time, count, least) = (0L, 0UL, long.MaxValue);
        for (var i = 0; i < Samples; i++)
        {
            var before = Stopwatch.GetTimestamp();
            var seen = read();
            var after = Stopwatch.GetTimestamp();
            if (after - before < least)
            {
                (time, count, least) = (before + ((after - before) / 2), seen, after - before);
            }
        }

        return (time, count);
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);
}
