using System.IO.Hashing;
using LiteDB;
using LiteDB.Engine;

namespace EdgeVirt.Node.State;

/// <summary>Where a record lies.</summary>
internal readonly record struct RecordKey(string Collection, string Id);

/// <summary>One small document of the database.</summary>
/// <param name="Data">Its content; null: it is to be removed.</param>
internal sealed record StateRecord(RecordKey Key, byte[]? Data);

/// <summary>What reading the database gave.</summary>
/// <param name="Records">The sound records.</param>
/// <param name="Faults">What was not sound, for people; empty when everything was.</param>
/// <param name="State">In which state the file was left.</param>
internal sealed record DatabaseContent(IReadOnlyList<StateRecord> Records, IReadOnlyList<string> Faults, SealState State);

/// <summary>
/// The file <c>state/node.db</c>. Not thread-safe: its one owner is <see cref="NodeStore"/>. LiteDB keeps every page it
/// ever touched in memory, so the file is open only from a write until <see cref="Close"/>, which seals it. Every
/// document carries a schema version and a CRC-64 of its content, because LiteDB's pages carry none.
/// </summary>
internal sealed class StateDatabase(string path) : IDisposable
{
    public const string Meta = "meta";
    public const string Workloads = "workloads";
    public const string VirtualMachines = "virtual_machines";
    public const string Configs = "configs";
    public const string Secrets = "secrets";
    public const string Observed = "observed";
    public const string ObservedMachines = "observed_machines";

    private const int SchemaVersion = 1;
    private const int WritesUntilReopen = 256;
    private static readonly string[] Collections = [Meta, Workloads, VirtualMachines, Configs, Secrets, Observed, ObservedMachines];

    private readonly DatabaseSeal seal = new(path);
    private LiteEngine? engine;
    private int writes;

    /// <summary>The data file.</summary>
    public string Path => path;

    /// <summary>LiteDB's journal, merged into the data file on closing.</summary>
    public string LogPath => System.IO.Path.ChangeExtension(path, null) + "-log.db";

    /// <summary>Whether the file is open.</summary>
    public bool IsOpen => engine is not null;

    /// <summary>
    /// Reads everything. Damage never throws: what is sound is returned, what is not is named. Only a file that is as
    /// it was closed, or was left open by an agent that ended in this boot, is shown to LiteDB at all.
    /// </summary>
    public DatabaseContent Read()
    {
        List<StateRecord> records = [];
        List<string> faults = [];
        var state = seal.Check();
        if (state is SealState.Sound or SealState.OpenInThisBoot)
        {
            if (state == SealState.OpenInThisBoot)
            {
                seal.Recover();
            }

            Array.ForEach(Collections, collection => ReadCollection(collection, records, faults));
        }
        else if (state == SealState.Damaged)
        {
            faults.Add("the file is not as it was closed");
        }

        return new DatabaseContent(records, faults, state);
    }

    /// <summary>Writes or removes records in one transaction.</summary>
    /// <exception cref="StateWriteException">Nothing was written.</exception>
    public void Write(IReadOnlyList<StateRecord> records)
    {
        try
        {
            if (engine is null)
            {
                seal.Open();
                Open();
            }

            engine!.BeginTrans();
            foreach (var record in records)
            {
                if (record.Data is { } data)
                {
                    engine.Upsert(record.Key.Collection, [Encode(record.Key.Id, data)], BsonAutoId.ObjectId);
                }
                else
                {
                    engine.Delete(record.Key.Collection, [record.Key.Id]);
                }
            }

            engine.Commit();
            writes += records.Count;
            if (writes >= WritesUntilReopen)
            {
                Close();
            }
        }
#pragma warning disable CA1031 // See above; the owner decides what becomes of the file.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Abandon();
            throw new StateWriteException(e);
        }
    }

    /// <summary>Merges the journal into the data file, closes it and gives back the memory of its pages.</summary>
    public void Close()
    {
        writes = 0;
        if (engine is null)
        {
            return;
        }

        try
        {
            engine.Checkpoint();
            engine.Dispose();
            engine = null;
            seal.Close();
        }
#pragma warning disable CA1031 // Without a seal the next start tells how far the file can be trusted.
        catch (Exception)
#pragma warning restore CA1031
        {
            Abandon();
        }
    }

    /// <summary>Closes the file as it is and deletes it, its journal and its seal.</summary>
    public void Delete()
    {
        Abandon();
        File.Delete(path);
        File.Delete(LogPath);
    }

    public void Dispose() => Close();

    private static BsonDocument Encode(string id, byte[] data) => new()
    {
        ["_id"] = id,
        ["v"] = SchemaVersion,
        ["crc"] = Checksum(id, data),
        ["data"] = data,
    };

    private static StateRecord? TryDecode(string collection, BsonValue value)
    {
        if (value is not BsonDocument document
            || document["_id"] is not { IsString: true } id
            || document["v"] is not { IsInt32: true, AsInt32: SchemaVersion }
            || document["crc"] is not { IsInt64: true } checksum
            || document["data"] is not { IsBinary: true } data
            || Checksum(id.AsString, data.AsBinary) != checksum.AsInt64)
        {
            return null;
        }

        return new StateRecord(new RecordKey(collection, id.AsString), data.AsBinary);
    }

    private static long Checksum(string id, byte[] data)
    {
        var crc = new Crc64();
        crc.Append(System.Text.Encoding.UTF8.GetBytes(id));
        crc.Append([0]);
        crc.Append(data);
        return (long)crc.GetCurrentHashAsUInt64();
    }

    private void ReadCollection(string collection, List<StateRecord> records, List<string> faults)
    {
        try
        {
            Open();
            using var reader = engine!.Query(collection, new Query());
            while (reader.Read())
            {
                if (TryDecode(collection, reader.Current) is { } record)
                {
                    records.Add(record);
                }
                else
                {
                    faults.Add($"a record of {collection}");
                }
            }
        }
#pragma warning disable CA1031 // On damaged pages LiteDB throws whatever its code runs into.
        catch (Exception e)
#pragma warning restore CA1031
        {
            faults.Add($"{collection} ({e.Message})");
            Abandon();
        }
    }

    private void Open()
    {
        if (engine is not null)
        {
            return;
        }

        var isNew = !File.Exists(path);
        engine = new LiteEngine(new EngineSettings { Filename = path });
        if (isNew)
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            foreach (var collection in Collections)
            {
                engine.Upsert(collection, [Encode("new", [])], BsonAutoId.ObjectId);
                engine.Delete(collection, ["new"]);
            }
        }
    }

    private void Abandon()
    {
        try
        {
            engine?.Dispose();
        }
#pragma warning disable CA1031 // Closing a damaged file may fail in as many ways as reading it.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        engine = null;
    }
}

/// <summary>The database took nothing.</summary>
internal sealed class StateWriteException(Exception inner) : Exception($"The state database could not be written: {inner.Message}", inner)
{
    /// <summary>Whether the disk is full, rather than the file damaged.</summary>
    public bool IsDiskFull => InnerException is IOException e && e.IsDiskFull();
}

internal static class DiskFull
{
    private const int NoSpaceLeft = 28;
    private const int QuotaExceeded = 122;

    /// <summary>Whether the disk, or the quota, is used up. On Unix the HResult of an IOException is the errno.</summary>
    public static bool IsDiskFull(this IOException e) => e.HResult is NoSpaceLeft or QuotaExceeded or unchecked((int)0x80070070);
}
