using System.Diagnostics;
using EdgeVirt.Contracts;
using EdgeVirt.Node;
using EdgeVirt.Node.Hub;
using EdgeVirt.Node.Telemetry;
using EdgeVirt.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Benchmarks;

/// <summary>
/// The telemetry outbox on this machine's disk: records of 256 bytes made durable one per commit and 100 per commit,
/// then drained by the publisher to a hub that acknowledges at once. Beside it SQLite with a write-ahead log and
/// synchronous=FULL, the same rows and commits on the same disk. Each figure is the median of three rounds, ours and theirs in turn.
/// </summary>
internal static class OutboxBench
{
    private const int RecordBytes = 256;
    private const int Rounds = 3;
    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(3);
    private static readonly byte[] Record = new byte[RecordBytes];

    public static async Task<BenchResult> RunAsync()
    {
        Random.Shared.NextBytes(Record);
        List<double> ours1 = [], ours100 = [], drain = [], sqlite1 = [], sqlite100 = [];
        for (var round = 0; round < Rounds; round++)
        {
            ours1.Add(await AppendAsync(1, null));
            sqlite1.Add(Sqlite(1));
            ours100.Add(await AppendAsync(100, drain));
            sqlite100.Add(Sqlite(100));
            Console.WriteLine($"round {round + 1}: 1 per commit {ours1[^1]:F0}/s (SQLite {sqlite1[^1]:F0}/s), 100 per commit {ours100[^1]:F0}/s (SQLite {sqlite100[^1]:F0}/s), drained {drain[^1]:F0}/s");
        }

        return new BenchResult(
            "outbox",
            ("appends_per_s_1", Samples.Median(ours1)),
            ("appends_per_s_100", Samples.Median(ours100)),
            ("drain_per_s", Samples.Median(drain)),
            ("sqlite_per_s_1", Samples.Median(sqlite1)),
            ("sqlite_per_s_100", Samples.Median(sqlite100)),
            ("speedup_sqlite_1", Samples.Median(ours1) / Samples.Median(sqlite1)),
            ("speedup_sqlite_100", Samples.Median(ours100) / Samples.Median(sqlite100)),
            ("record_bytes", RecordBytes));
    }

    private static async Task<double> AppendAsync(int perCommit, List<double>? drain)
    {
        var directory = WorkDirectory();
        try
        {
            var log = OutboxLog.Open(
                new DiskOutboxStorage(Path.Combine(directory, "outbox"), _ => throw new InvalidOperationException("The bench's disk damaged a segment.")),
                new OutboxLimits(4L << 30),
                NullLogger.Instance);
            await using var outbox = new Outbox(log, TimeProvider.System);
            ReadOnlyMemory<byte>[] group = [.. Enumerable.Repeat((ReadOnlyMemory<byte>)Record, perCommit)];
            long count = 0;
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed < RoundTime)
            {
                if (!await outbox.AppendAsync(group, CancellationToken.None))
                {
                    throw new IOException("The outbox dropped records: is the disk full?");
                }

                count += perCommit;
            }

            var rate = count / clock.Elapsed.TotalSeconds;
            if (drain is not null)
            {
                using var publisher = new OutboxPublisher(outbox, new InstantHub(), new NodeOptions(), TimeProvider.System, NullLogger<OutboxPublisher>.Instance);
                clock.Restart();
                while (await publisher.SendSomeAsync(CancellationToken.None))
                {
                    // Until nothing is left.
                }

                drain.Add(count / clock.Elapsed.TotalSeconds);
            }

            return rate;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static double Sqlite(int perCommit)
    {
        var directory = WorkDirectory();
        try
        {
            using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "peer.db")};Pooling=false");
            connection.Open();
            Execute(connection, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, record BLOB NOT NULL)");
            using var insert = connection.CreateCommand();
            insert.CommandText = "INSERT INTO outbox (record) VALUES ($record)";
            insert.Parameters.AddWithValue("$record", Record);
            insert.Prepare();
            long count = 0;
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed < RoundTime)
            {
                using var transaction = connection.BeginTransaction();
                insert.Transaction = transaction;
                for (var i = 0; i < perCommit; i++)
                {
                    insert.ExecuteNonQuery();
                }

                transaction.Commit();
                count += perCommit;
            }

            return count / clock.Elapsed.TotalSeconds;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Execute(SqliteConnection connection, string text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteNonQuery();
    }

    // Not the temporary directory: that may lie in memory.
    private static string WorkDirectory() =>
        Directory.CreateDirectory(RepositoryRoot.Combine("artifacts", "bench", $"outbox-{Guid.NewGuid():N}")).FullName;

    private sealed class InstantHub : IHubPublisher
    {
        public bool IsConnected => true;

        public Task WhenConnectedAsync(CancellationToken ct) => Task.CompletedTask;

        public Task PublishAsync(TopicChannel channel, ReadOnlyMemory<byte> payload, CancellationToken ct) => Task.CompletedTask;
    }
}
