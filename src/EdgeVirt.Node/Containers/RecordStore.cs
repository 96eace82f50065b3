using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers;

/// <summary>
/// The records of sandboxes and containers: a small durable file each, read once at start and kept in memory.
/// Safe for use by several threads; each record has one writer, the owner of its workload.
/// </summary>
internal sealed partial class RecordStore(NodeDirectories directories, ILogger<RecordStore> log)
{
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
        Load(directories.Sandboxes, "sandbox.json", RecordsJson.Default.SandboxRecord, record => sandboxes[record.Id] = record);
        Load(directories.Containers, "container.json", RecordsJson.Default.ContainerRecord, record => containers[record.Id] = record);
    }

    public ContainerRecord? FindContainer(string id) => containers.GetValueOrDefault(id);

    public SandboxRecord? FindSandbox(string id) => sandboxes.GetValueOrDefault(id);

    public void Write(SandboxRecord record)
    {
        Write(directories.Sandboxes, directories.Sandbox(record.Id), "sandbox.json", record, RecordsJson.Default.SandboxRecord, !sandboxes.ContainsKey(record.Id));
        sandboxes[record.Id] = record;
    }

    public void Write(ContainerRecord record)
    {
        Write(directories.Containers, directories.Container(record.Id), "container.json", record, RecordsJson.Default.ContainerRecord, !containers.ContainsKey(record.Id));
        containers[record.Id] = record;
    }

    /// <summary>Deletes directory and record, the record last.</summary>
    public void RemoveSandbox(string id)
    {
        Remove(directories.Sandbox(id), "sandbox.json");
        sandboxes.TryRemove(id, out _);
    }

    /// <summary>Deletes directory and record, the record last.</summary>
    public void RemoveContainer(string id)
    {
        Remove(directories.Container(id), "container.json");
        containers.TryRemove(id, out _);
    }

    private static void Write<T>(string parent, string directory, string name, T record, JsonTypeInfo<T> type, bool isNew)
    {
        if (isNew)
        {
            Directory.CreateDirectory(directory);
        }

        DurableFile.Write(Path.Combine(directory, name), JsonSerializer.SerializeToUtf8Bytes(record, type), Mode);
        if (isNew)
        {
            DurableFile.SyncDirectory(parent);
        }
    }

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
