using System.Globalization;
using System.Text.Json;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines.Qmp;

namespace EdgeVirt.Node.VirtualMachines.Cpus;

/// <summary>Puts the threads of a QEMU where they are to run.</summary>
internal static class CpuThreads
{
    // A thread that begins meanwhile has the affinity of the one that made it, old or new.
    private const int Rounds = 2;

    /// <summary>Does so. What QEMU starts later runs where the thread does that starts it.</summary>
    /// <param name="pid">Its process.</param>
    /// <param name="monitor">Says which thread is which processor of the guest.</param>
    /// <param name="assignment">Where they are to run.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    /// <exception cref="QmpException">QEMU does not answer.</exception>
    /// <exception cref="QmpCommandException">QEMU refused to say which threads there are.</exception>
    public static async Task ApplyAsync(int pid, QmpClient monitor, CpuAssignment assignment, CancellationToken ct)
    {
        var guest = assignment.Guest is { } numbers ? PlacesOf(await monitor.ExecuteAsync("query-cpus-fast", ct: ct), numbers) : new Dictionary<int, HashSet<int>>();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var thread in ThreadsOf(pid))
            {
                CpuAffinity.Set(thread, guest.TryGetValue(thread, out var own) ? own : assignment.Others);
            }
        }
    }

    // [{"cpu-index": 0, "thread-id": 4711, …}]; emulated processors may share a thread.
    private static Dictionary<int, HashSet<int>> PlacesOf(JsonElement processors, IReadOnlyList<int> numbers)
    {
        Dictionary<int, HashSet<int>> places = [];
        foreach (var processor in processors.EnumerateArray())
        {
            var (index, thread) = (processor.GetProperty("cpu-index").GetInt32(), processor.GetProperty("thread-id").GetInt32());
            if (index >= 0 && index < numbers.Count)
            {
                (places.TryGetValue(thread, out var known) ? known : places[thread] = []).Add(numbers[index]);
            }
        }

        return places;
    }

    private static IReadOnlyList<int> ThreadsOf(int pid)
    {
        try
        {
            return [.. Directory.EnumerateDirectories($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/task").Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture))];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }
}
