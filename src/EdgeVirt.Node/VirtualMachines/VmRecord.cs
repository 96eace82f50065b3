using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.VirtualMachines.Cpus;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Memory;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Suspend;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>A QEMU that runs, or did when this was written.</summary>
/// <param name="Pid">Its process.</param>
/// <param name="StartTime">See <see cref="ProcessIdentity"/>.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Generation">Of the spec that it was started by.</param>
/// <param name="MemoryBytes">What guest and QEMU may take of the node's ordinary memory together.</param>
/// <param name="GraceSeconds">What its guest is given to end, should nobody say otherwise by then.</param>
/// <param name="IsEmulated">Whether its guest runs without KVM.</param>
internal sealed record VmRun(int Pid, long StartTime, DateTimeOffset StartedAt, long Generation, long MemoryBytes, int GraceSeconds, bool IsEmulated)
{
    /// <summary>What its guest runs in; null: written by an agent that did not save memories.</summary>
    public GuestSetting? Setting { get; init; }

    /// <summary>The emulator of its TPM; null: it has none.</summary>
    public ProcessIdentity? Tpm { get; init; }

    /// <summary>Processors of the node that it has; null: an older agent started it.</summary>
    public VmCpus? Cpus { get; init; }

    /// <summary>What its balloon may do; null: an older agent started it.</summary>
    public BalloonTerms? Balloon { get; init; }
}

/// <summary>What the node has of a virtual machine. Written before anything is made for it, so that whatever a crash leaves can be found by it.</summary>
internal sealed record VmRecord
{
    /// <summary>machine-uid8.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Uid { get; init; }

    /// <summary>As whom its QEMU runs; of no other machine.</summary>
    public required uint User { get; init; }

    /// <summary>Its network cards.</summary>
    public IReadOnlyList<VmCard> Cards { get; init => field = value ?? []; } = [];

    /// <summary>Devices of the node that it has now.</summary>
    public IReadOnlyList<VmDevice> Devices { get; init => field = value ?? []; } = [];

    /// <summary>USB devices that it was started for, and that may come and go.</summary>
    public IReadOnlyList<VirtualDeviceSpec> Pluggable { get; init => field = value ?? []; } = [];

    /// <summary>Null: it is off.</summary>
    public VmRun? Run { get; init; }

    /// <summary>How often it was started again.</summary>
    public int Restarts { get; init; }

    /// <summary>Runs that ended soon, without a longer one between: the exponent of the backoff.</summary>
    public int Failures { get; init; }

    /// <summary>When its guest was asked to end; null: it was not.</summary>
    public DateTimeOffset? StopAsked { get; init; }

    /// <summary>Its guest's memory, which is on the disk; null: there is none. With a <see cref="Run"/> beside it, that only has to end.</summary>
    public SavedGuest? Saved { get; init; }

    /// <summary>How the newest run ended that did.</summary>
    public ContainerExit? LastExit { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(VmRecord))]
internal sealed partial class VmRecordJson : JsonSerializerContext;

/// <summary>The records of virtual machines: a small file each, read once at start. Safe for use by several threads; each record has one writer, its owner.</summary>
internal sealed partial class VmRecords(NodeOptions options, ILogger<VmRecords> log)
{
    private const string RecordFile = "machine.json";
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly ConcurrentDictionary<string, VmRecord> records = new();
    private readonly Lock gate = new();

    public IReadOnlyCollection<VmRecord> All => (IReadOnlyCollection<VmRecord>)records.Values;

    /// <summary>Reads what is on disk. A machine whose record cannot be read is left as it lies: its disks may be all that there is of something.</summary>
    public void Load()
    {
        records.Clear();
        var parent = Path.GetDirectoryName(VmPaths.Of(options, "x").DataDirectory)!;
        foreach (var directory in Directory.Exists(parent) ? Directory.GetDirectories(parent) : [])
        {
            var path = Path.Combine(directory, RecordFile);
            try
            {
                if (File.Exists(path) && JsonSerializer.Deserialize(File.ReadAllBytes(path), VmRecordJson.Default.VmRecord) is { } record)
                {
                    records[record.Id] = record;
                }
            }
            catch (Exception e) when (e is JsonException or IOException)
            {
                LogUnreadable(path, e);
            }
        }
    }

    /// <summary>The record of a machine, made durably if there is none.</summary>
    /// <exception cref="VmStartException">No user id is left.</exception>
    public VmRecord Ensure(string name, string uid)
    {
        var id = SandboxRecord.IdOf(name, uid);
        lock (gate)
        {
            if (records.TryGetValue(id, out var known))
            {
                return known;
            }

            var taken = records.Values.Select(record => record.User).ToHashSet();
            // The first one only looks at files, the last one is the group of /dev/kvm.
            for (var user = Unprivileged.FirstUser + 1; user < Unprivileged.FirstUser + Unprivileged.MostUsers - 1; user++)
            {
                if (!taken.Contains(user))
                {
                    return Put(new VmRecord { Id = id, Name = name, Uid = uid, User = user });
                }
            }
        }

        throw new VmStartException($"no user id is left: the node has {records.Count} virtual machines");
    }

    /// <summary>Writes a record durably.</summary>
    public VmRecord Put(VmRecord record)
    {
        var directory = VmPaths.Of(options, record.Id).DataDirectory;
        Directory.CreateDirectory(directory, Passable);
        DurableFile.Write(Path.Combine(directory, RecordFile), JsonSerializer.SerializeToUtf8Bytes(record, VmRecordJson.Default.VmRecord), OwnerFile);
        records[record.Id] = record;
        return record;
    }

    /// <summary>Deletes all that the disk has of a machine, the record last.</summary>
    public void Remove(VmRecord record)
    {
        var directory = VmPaths.Of(options, record.Id).DataDirectory;
        if (Directory.Exists(directory))
        {
            foreach (var below in Directory.GetDirectories(directory))
            {
                Directory.Delete(below, recursive: true);
            }

            foreach (var file in Directory.GetFiles(directory).Where(file => Path.GetFileName(file) != RecordFile))
            {
                File.Delete(file);
            }

            Directory.Delete(directory, recursive: true);
        }

        records.TryRemove(record.Id, out _);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} is damaged; the virtual machine is left as it lies, and its disks stay")]
    private partial void LogUnreadable(string path, Exception e);
}
