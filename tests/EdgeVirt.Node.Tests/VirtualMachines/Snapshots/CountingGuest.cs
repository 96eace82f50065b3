using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

/// <summary>A board whose Linux guest counts on two disks, as long as it runs.</summary>
internal sealed class CountingGuest : IAsyncDisposable
{
    public const string Name = "counter";

    // What is on the disks is said when the guest begins; then the same number goes to both disks, synced, again and again.
    public const string Counting =
        """
        read_at() { bb dd if=$1 bs=512 count=1 2>/dev/null | bb tr -d '\000' | bb head -n 1; }
        a=$(read_at /dev/vda); b=$(read_at /dev/vdb)
        echo "FOUND ${a:-0} ${b:-0}."
        n=${a:-0}
        while :; do
          n=$((n+1))
          printf '%s\n' $n | bb dd of=/dev/vda bs=512 conv=sync,fsync,notrunc 2>/dev/null
          printf '%s\n' $n | bb dd of=/dev/vdb bs=512 conv=sync,fsync,notrunc 2>/dev/null
          echo "N $n $(bb cat /sys/block/vdb/size)."
        done
        """;

    private CountingGuest(GuestBoard board, ShiftedTime clock) => (Board, Clock) = (board, clock);

    public GuestBoard Board { get; }

    public ShiftedTime Clock { get; }

    public MachineAgent Agent => Board.Agent;

    public SnapshotState Snapshots => SnapshotStore.Read(Board.Paths);

    /// <summary>Nothing runs yet.</summary>
    public static async Task<CountingGuest> BoardAsync()
    {
        var clock = new ShiftedTime();
        var board = await GuestBoard.StartLinuxAsync(Counting, new MachineAgentSetup { Clock = clock });
        board.AddDisk("16M");
        return new CountingGuest(board, clock);
    }

    public static DesiredVirtualMachine Machine(SnapshotScheduleSpec? schedule = null, string size = "8Mi", long generation = 1) => GuestBoard.Machine(
        Name,
        spec => spec with
        {
            Disks =
            [
                new VirtualDiskSpec { Name = "root", Image = new DiskImageSource { Reference = "registry.example/vm:1" } },
                new VirtualDiskSpec { Name = "data", Empty = new EmptyDiskSource(), Size = Guests.QuantityOf(size) },
            ],
            Snapshots = schedule,
        },
        generation);

    public async Task StartAsync(SnapshotScheduleSpec? schedule = null)
    {
        await Board.DesireAsync(Machine(schedule));
        await UntilSaidAsync("FOUND 0 0.");
    }

    public Task<T> AskAsync<T>(Func<VmOwner, Task<T>> ask) => Board.AskAsync(Name, ask);

    /// <summary>When the owner has done what it was asked.</summary>
    public async Task<SnapshotState> StateAsync()
    {
        await Agent.Reconciler.SettledAsync();
        return Snapshots;
    }

    /// <summary>Files that a disk is made of.</summary>
    public int Layers(string disk) => Directory.GetFiles(Path.GetDirectoryName(Board.Paths.Disk(disk))!)
        .Count(file => Path.GetFileName(file).Split('.')[0] == disk && !file.EndsWith(".json", StringComparison.Ordinal));

    public int LastNumber() => Lines("N ").Select(line => int.Parse(line.Split(' ')[1], null)).LastOrDefault();

    public async Task CountsAsync(int more)
    {
        var from = LastNumber();
        await Board.UntilAsync(() => LastNumber() >= from + more, $"it counts {more} further than {from}", Name);
    }

    /// <summary>What the guest found on its disks at a start; 0 is the first.</summary>
    public async Task<(int Root, int Data)> FoundAsync(int start)
    {
        await Board.UntilAsync(() => Lines("FOUND ").Count > start, $"it begins {start + 1} times", Name);
        var words = Lines("FOUND ")[start].TrimEnd('.').Split(' ');
        return (int.Parse(words[1], null), int.Parse(words[2], null));
    }

    public Task<string> UntilSaidAsync(string text) => Board.UntilSaidAsync(text, Name);

    public ValueTask DisposeAsync() => Board.DisposeAsync();

    // Whole ones.
    private List<string> Lines(string start) =>
        [.. Board.ConsoleOf(Name).Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.StartsWith(start, StringComparison.Ordinal) && line.EndsWith('.'))];
}

/// <summary>The system's time, and what a test adds: time that passes is counted too, a leap of the clock is not.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    private long passed;
    private long leapt;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => (Environment.TickCount64 * TimeSpan.TicksPerMillisecond) + Volatile.Read(ref passed);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Volatile.Read(ref passed) + Volatile.Read(ref leapt));

    public void Pass(TimeSpan time) => Interlocked.Add(ref passed, time.Ticks);

    public void Leap(TimeSpan time) => Interlocked.Add(ref leapt, time.Ticks);
}
