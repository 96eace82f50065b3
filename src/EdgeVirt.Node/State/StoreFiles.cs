using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.State;

/// <summary>What a start finds.</summary>
internal sealed record StoreContent(DesiredSnapshot Desired, IReadOnlyList<ObservedWorkload> Observed, IReadOnlyList<ObservedVirtualMachine> Machines);

/// <summary>
/// The files behind <see cref="NodeStore"/>: the database and the kept revisions, each able to make up for the other.
/// Not thread-safe.
/// </summary>
internal sealed partial class StoreFiles(NodeOptions options, Quarantine quarantine, StorageHealth health, ILogger<StoreFiles> log) : IDisposable
{
    private readonly StateDatabase database = new(Path.Combine(options.StateDirectory, "node.db"));
    private readonly Dictionary<RecordKey, DesiredItem> stored = [];
    private readonly Dictionary<RecordKey, byte[]> observed = [];
    private DataKey? key;
    private RevisionFiles? revisions;
    private SetFiles? sets;
    private DesiredRecords? records;
    private StoredDesired? current;
    private ulong sequence;
    private bool isBehind;

    /// <summary>Whether the database file is open.</summary>
    public bool IsOpen => database.IsOpen;

    private DesiredSnapshot Snapshot => current is null
        ? DesiredSnapshot.None
        : new DesiredSnapshot(current.Accepted.Revision, current.Document) { Digest = current.IsWhole ? current.Accepted.Digest : [], IsWhole = current.IsWhole };

    /// <summary>Reads what is there, quarantines what is damaged, and makes the rest whole again.</summary>
    public StoreContent Load()
    {
        Directory.CreateDirectory(options.StateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        key = DataKey.OpenOrCreate(options, quarantine);
        records = new DesiredRecords(key);
        revisions = new RevisionFiles(options, key, quarantine);
        sets = new SetFiles(options, key, quarantine);

        var kept = revisions.Read();
        var content = database.Read();
        var fromDatabase = records.TryAssemble(content.Records);
        var format = DesiredRecords.FormatOf(content.Records) ?? DesiredRecords.Format;
        var faults = content.Faults.ToList();
        // A newer agent may have stored kinds that this one does not know.
        if (fromDatabase is null && format <= DesiredRecords.Format && content.Records.Any(record => record.Key.Collection is not (StateDatabase.Observed or StateDatabase.ObservedMachines)))
        {
            faults.Add("the desired state");
        }

        var workloads = ReadObserved(content.Records, StateDatabase.Observed, DesiredStateJson.Default.ObservedWorkload, faults);
        var machines = ReadObserved(content.Records, StateDatabase.ObservedMachines, DesiredStateJson.Default.ObservedVirtualMachine, faults);
        var fromFile = kept.Count > 0 ? new StoredDesired(kept[0].Identity, NodeDocument.FromBytes(kept[0].Bytes.Span)) : null;
        // The files have the bytes that came, whoever wrote them.
        var least = (fromDatabase?.Accepted.Sequence ?? 0) + (fromDatabase?.IsWhole == false ? 0 : 1UL);
        current = fromFile?.Accepted.Sequence >= least ? fromFile : fromDatabase ?? fromFile;
        sequence = current?.Accepted.Sequence ?? 0;

        if (faults.Count > 0)
        {
            Replace($"unsound: {string.Join(", ", faults.Distinct())}");
        }
        else if (content.State == SealState.Missing && kept.Count > 0)
        {
            Replace("the file is missing");
        }
        else if (format != DesiredRecords.Format)
        {
            LogOtherVersion(current?.Accepted.Revision ?? 0);
            Rebuild();
        }
        else if (content.State == SealState.Unfinished)
        {
            LogUnfinished(current?.Accepted.Revision ?? 0);
            Rebuild();
        }
        else
        {
            Remember(fromDatabase is null ? [] : DesiredRecords.ItemsOf(fromDatabase.Document));
            if (current != fromDatabase)
            {
                Store();
            }
        }

        if (current is { IsWhole: true } && (kept.Count == 0 || kept[0].Sequence < sequence))
        {
            RestoreRevisionFile(current);
        }

        database.Close();
        return new StoreContent(Snapshot, workloads, machines);
    }

    /// <summary>Puts a revision in force; see <see cref="NodeStore.AcceptDesiredAsync"/>.</summary>
    public DesiredSnapshot Accept(ulong revision, ReadOnlyMemory<byte> bytes, NodeDocument document)
    {
        var accepted = new AcceptedRevision(sequence + 1, revision, bytes);
        try
        {
            (revisions ?? throw new IOException("The state directory could not be opened at start.")).Write(accepted);
        }
        catch (IOException e)
        {
            health.SetFull(e.IsDiskFull());
            throw;
        }

        sequence = accepted.Sequence;
        current = new StoredDesired(accepted.Identity, document);
        Store();
        return Snapshot;
    }

    /// <summary>The documents in force and before it, as far as they are sound.</summary>
    public IReadOnlyList<NodeDocument> ReadKept()
    {
        var before = revisions?.Read().Where(revision => revision.Sequence != sequence).Select(revision => NodeDocument.FromBytes(revision.Bytes.Span)) ?? [];
        return current is null ? [.. before] : [current.Document, .. before];
    }

    /// <summary>Stores what was seen of a workload or a virtual machine, or forgets it.</summary>
    public void WriteObserved(RecordKey seen, byte[]? json)
    {
        if (json is null)
        {
            observed.Remove(seen);
        }
        else
        {
            observed[seen] = json;
        }

        Write([new StateRecord(seen, json)]);
    }

    /// <summary>What is remembered of sets.</summary>
    public IReadOnlyList<SettledSet> ReadSets() => sets?.Read() ?? [];

    /// <summary>Remembers a set, durably. Where the disk refuses, it is known until the agent ends.</summary>
    public void WriteSet(SettledSet set)
    {
        try
        {
            sets?.Write(set);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogWriteFailed(e);
            health.SetFull(e is IOException io && io.IsDiskFull());
        }
    }

    /// <summary>Forgets a set.</summary>
    public void RemoveSet(string key) => sets?.Remove(key);

    /// <summary>Closes the database until the next write.</summary>
    public void Close() => database.Close();

    public void Dispose()
    {
        database.Dispose();
        key?.Dispose();
    }

    private List<T> ReadObserved<T>(IReadOnlyList<StateRecord> content, string collection, JsonTypeInfo<T> type, List<string> faults)
    {
        List<T> seen = [];
        foreach (var record in content.Where(record => record.Key.Collection == collection))
        {
            try
            {
                seen.Add(JsonSerializer.Deserialize(record.Data, type)!);
                observed[record.Key] = record.Data!;
            }
            catch (JsonException)
            {
                faults.Add($"what was seen of {record.Key.Id}");
            }
        }

        return seen;
    }

    // Writes what differs between the database and the revision in force.
    private void Store()
    {
        var items = DesiredRecords.ItemsOf(current!.Document, stored);
        var keys = items.Select(item => item.Key).ToHashSet();
        var changed = items.Where(item => stored.GetValueOrDefault(item.Key)?.Hash != item.Hash).Select(item => records!.Seal(item));
        var gone = stored.Keys.Where(key => !keys.Contains(key)).Select(key => new StateRecord(key, null));
        if (Write([.. changed, .. gone, DesiredRecords.MetaOf(current, items)]))
        {
            Remember(items);
        }
    }

    private bool Write(IReadOnlyList<StateRecord> changes)
    {
        if (isBehind)
        {
            return Rebuild();
        }

        try
        {
            database.Write(changes);
            health.SetFull(false);
            return true;
        }
        catch (StateWriteException e) when (e.IsDiskFull)
        {
            LogWriteFailed(e);
            health.SetFull(true);
            isBehind = true;
            return false;
        }
        catch (StateWriteException e)
        {
            LogWriteFailed(e);
            Replace($"could not be written ({e.InnerException!.Message})");
            return !isBehind;
        }
    }

    // A new database file, from what is held in memory.
    private void Replace(string fault)
    {
        var loss = current is { } desired ? $"rebuilt with revision {desired.Accepted.Revision}" : "no desired revision is left; the hub will send it again";
        database.Close();
        quarantine.Take(database.Path, $"{fault}; {loss}");
        isBehind = true;
        Rebuild();
    }

    private bool Rebuild()
    {
        try
        {
            database.Delete();
            stored.Clear();
            var items = current is null ? [] : DesiredRecords.ItemsOf(current.Document);
            List<StateRecord> all = [.. observed.Select(pair => new StateRecord(pair.Key, pair.Value))];
            if (current is not null)
            {
                all.AddRange(items.Select(records!.Seal));
                all.Add(DesiredRecords.MetaOf(current, items));
            }

            database.Write(all);
            Remember(items);
            isBehind = false;
            health.SetFull(false);
            return true;
        }
        catch (Exception e) when (e is StateWriteException or IOException or UnauthorizedAccessException)
        {
            LogWriteFailed(e);
            health.SetFull(e is StateWriteException { IsDiskFull: true } || (e is IOException io && io.IsDiskFull()));
            return false;
        }
    }

    private void Remember(IReadOnlyList<DesiredItem> items)
    {
        stored.Clear();
        foreach (var item in items)
        {
            stored[item.Key] = item;
        }
    }

    private void RestoreRevisionFile(StoredDesired desired)
    {
        var bytes = desired.Document.ToBytes();
        var restored = new AcceptedRevision(desired.Accepted.Sequence, desired.Accepted.Revision, bytes);
        if (!restored.Digest.AsSpan().SequenceEqual(desired.Accepted.Digest))
        {
            // Written by another version of the agent: the database alone holds it until the next revision.
            return;
        }

        try
        {
            revisions!.Write(restored);
        }
        catch (IOException e)
        {
            LogWriteFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "State could not be written; it is held in memory until it can be")]
    private partial void LogWriteFailed(Exception e);

    [LoggerMessage(Level = LogLevel.Information, Message = "Another version of the agent stored the state: it is rebuilt with revision {Revision}")]
    private partial void LogOtherVersion(ulong revision);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Power went while the state was being written: it is rebuilt with revision {Revision}, and workloads are looked at anew")]
    private partial void LogUnfinished(ulong revision);
}
