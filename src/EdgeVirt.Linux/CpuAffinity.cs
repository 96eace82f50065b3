using System.Runtime.InteropServices;

namespace EdgeVirt.Linux;

/// <summary>On which processors threads may run (sched_setaffinity(2)).</summary>
public static unsafe partial class CpuAffinity
{
    /// <summary>Numbers of processors are below this: the size of glibc's cpu_set_t.</summary>
    public const int MostCpus = 1024;

    private const int WordBits = 64;

    /// <summary>Where a thread may run.</summary>
    /// <param name="thread">Its id; that of a process is that of its first thread.</param>
    /// <exception cref="LinuxException">There is no such thread.</exception>
    public static IReadOnlyList<int> Of(int thread)
    {
        var words = stackalloc ulong[MostCpus / WordBits];
        if (Get(thread, MostCpus / 8, words) != 0)
        {
            throw Native.Failure($"ask on which processors thread {thread} runs");
        }

        List<int> cpus = [];
        for (var cpu = 0; cpu < MostCpus; cpu++)
        {
            if ((words[cpu / WordBits] >> (cpu % WordBits) & 1) == 1)
            {
                cpus.Add(cpu);
            }
        }

        return cpus;
    }

    /// <summary>Lets a thread run on some processors alone.</summary>
    /// <returns>False: it is gone.</returns>
    /// <exception cref="LinuxException">The kernel refused: none of them is there, a control group forbids them, or the thread is not ours.</exception>
    public static bool Set(int thread, IReadOnlyCollection<int> cpus)
    {
        var words = stackalloc ulong[MostCpus / WordBits];
        for (var i = 0; i < MostCpus / WordBits; i++)
        {
            words[i] = 0;
        }

        foreach (var cpu in cpus)
        {
            words[cpu / WordBits] |= 1UL << (cpu % WordBits);
        }

        return Set(thread, MostCpus / 8, words) == 0 ||
            (Marshal.GetLastPInvokeError() == Native.ESRCH ? false : throw Native.Failure($"let thread {thread} run on the processors {CpuList.Format(cpus)}"));
    }

    /// <summary>Runs work on some processors alone; a program started in it begins there.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static T Run<T>(IReadOnlyCollection<int> cpus, Func<T> work)
    {
        var thread = Native.ThreadId();
        var before = Of(thread);
        Set(thread, cpus);
        try
        {
            return work();
        }
        finally
        {
            Set(thread, before);
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity", SetLastError = true)]
    private static partial int Get(int thread, nuint size, ulong* set);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity", SetLastError = true)]
    private static partial int Set(int thread, nuint size, ulong* set);
}
