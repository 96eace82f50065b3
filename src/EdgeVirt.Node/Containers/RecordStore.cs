using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// The records of sandboxes and containers: a small file each, read once at start and kept in memory. A record that is put
/// survives the agent; one that is written or synced survives a power cut too.
/// Safe for use by several threads; each record has one writer, the owner of its workload.
/// </summary>
internal sealed partial class RecordStore(NodeDirectories directories, ILogger<RecordStore> log)
{
    private const string SandboxFile = "sandbox.json";
    private const string ContainerFile = "container.json";
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ConcurrentDictionary<string, SandboxRecord> sandboxes = new();
    private readonly ConcurrentDictionary<string, ContainerRecord> containers = new();

    public IReadOnlyCollection<SandboxRecord> Sandboxes => (IReadOnlyCollection<SandboxRecord>)sandboxes.Values;

    public IReadOnlyCollection<ContainerRecord> Containers => (IReadOnlyCollection<ContainerRecord>)containers.Values;

    /// <summary>Reads what is on disk. A record that cannot be read is forgotten, so that what it stood for is removed as a leftover.</summary>
    public void Load()
    {
        sandboxes.Clear();
        containers.Clear();
        Load(directories.Sandboxes, SandboxFile, RecordsJson.Default.SandboxRecord, record => sandboxes[record.Id] = record);
        Load(directories.Containers, ContainerFile, RecordsJson.Default.ContainerRecord, record => containers[record.Id] = record);
    }

    public ContainerRecord? FindContainer(string id) => containers.GetValueOrDefault(id);

    public SandboxRecord? FindSandbox(string id) => sandboxes.GetValueOrDefault(id);

    public void Put(SandboxRecord record)
    {
        var directory = directories.Sandbox(record.Id);
        Directory.CreateDirectory(directory);
        DurableFile.Replace(Path.Combine(directory, SandboxFile), JsonSerializer.SerializeToUtf8Bytes(record, RecordsJson.Default.SandboxRecord), Mode);
        sandboxes[record.Id] = record;
    }

    public void Put(ContainerRecord record)
    {
        var directory = directories.Container(record.Id);
        Directory.CreateDirectory(directory);
        DurableFile.Replace(Path.Combine(directory, ContainerFile), BytesOf(record), Mode);
        containers[record.Id] = record;
    }

    /// <summary>Makes a run's record durable, and that of its sandbox. Blocks.</summary>
    public void Sync(ContainerRecord record)
    {
        DurableFile.Sync(Path.Combine(directories.Sandbox(record.SandboxId), SandboxFile));
        DurableFile.SyncDirectory(directories.Sandboxes);
        DurableFile.Sync(Path.Combine(directories.Container(record.Id), ContainerFile));
        DurableFile.SyncDirectory(directories.Containers);
    }

    /// <summary>Changes a record that is there already, durably.</summary>
    public void Write(ContainerRecord record)
    {
        DurableFile.Write(Path.Combine(directories.Container(record.Id), ContainerFile), BytesOf(record), Mode);
        containers[record.Id] = record;
    }

    /// <summary>Deletes directory and record, the record last.</summary>
    public void RemoveSandbox(string id)
    {
        Remove(directories.Sandbox(id), SandboxFile);
        sandboxes.TryRemove(id, out _);
    }

    /// <summary>Deletes directory and record, the record last.</summary>
    public void RemoveContainer(string id)
    {
        Remove(directories.Container(id), ContainerFile);
        containers.TryRemove(id, out _);
    }

    private static byte[] BytesOf(ContainerRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, RecordsJson.Default.ContainerRecord);

    private static void Remove(string directory, string name)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        foreach (var below in Directory.GetDirectories(directory))
        {
            Directory.Delete(below, recursive: true);
        }

        foreach (var file in Directory.GetFiles(directory).Where(file => Path.GetFileName(file) != name))
        {
            File.Delete(file);
        }

        Directory.Delete(directory, recursive: true);
    }

    private void Load<T>(string parent, string name, JsonTypeInfo<T> type, Action<T> keep)
    {
        Directory.CreateDirectory(parent);
        foreach (var directory in Directory.EnumerateDirectories(parent))
        {
            var path = Path.Combine(directory, name);
            try
            {
                if (File.Exists(path) && JsonSerializer.Deserialize(File.ReadAllBytes(path), type) is { } record)
                {
                    keep(record);
                }
            }
            catch (Exception e) when (e is JsonException or IOException or NotSupportedException)
            {
                LogUnreadable(path, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} is damaged; what it stood for is removed and made anew")]
    private partial void LogUnreadable(string path, Exception e);
}
