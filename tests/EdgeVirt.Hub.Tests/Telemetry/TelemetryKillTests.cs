using System.Diagnostics;
using System.Globalization;

namespace EdgeVirt.Hub.Tests.Telemetry;

public sealed class TelemetryKillTests
{
    public const string ChildVerb = "telemetry-child";
    private string directory = "";

    [SetUp]
    public void MakeDirectory() => directory = Directory.CreateTempSubdirectory("telemetry").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(directory, recursive: true);

    /// <summary>What <see cref="Program"/> does when this test starts it: stores batch after batch and says which are acknowledged.</summary>
    public static async Task<int> RunChildAsync(string directory, ulong first)
    {
        await using var hub = await TelemetryHost.StartAsync(directory);
        for (; ; first += 50)
        {
            await hub.Ingest.AcceptAsync("n", TelemetryHost.Batch("s", first, 50), default);
            Console.WriteLine((first + 49).ToString(CultureInfo.InvariantCulture));
        }
    }

    [Test, CancelAfter(120_000)]
    public async Task Nothing_acknowledged_is_lost_when_the_hub_is_killed(CancellationToken ct)
    {
        var random = new Random(4);
        var acknowledged = 0UL;
        for (var round = 0; round < 8; round++)
        {
            using var child = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [typeof(TelemetryKillTests).Assembly.Location, ChildVerb, directory, $"{acknowledged + 1}"])
            {
                RedirectStandardOutput = true,
            })!;
            try
            {
                for (var lines = random.Next(2, 60); lines > 0; lines--)
                {
                    var line = await child.StandardOutput.ReadLineAsync(ct);
                    acknowledged = ulong.Parse(line!, CultureInfo.InvariantCulture);
                }
            }
            finally
            {
                child.Kill();
            }

            while (await child.StandardOutput.ReadLineAsync(ct) is { } line)
            {
                // The kill may have cut the last line.
                acknowledged = ulong.TryParse(line, CultureInfo.InvariantCulture, out var more) && more == acknowledged + 50 ? more : acknowledged;
            }

            await child.WaitForExitAsync(ct);
        }

        await using var hub = await TelemetryHost.StartAsync(directory);
        var values = await hub.ValuesAsync("n");
        Assert.That(hub.Database.Quarantined, Is.Empty);
        Assert.That(values, Is.Unique);
        Assert.That(values, Has.Count.GreaterThanOrEqualTo((int)acknowledged).And.Count.LessThanOrEqualTo((int)acknowledged + 50));
        Assert.That(values.Take((int)acknowledged), Is.EqualTo(Enumerable.Range(1, (int)acknowledged).Select(i => (double)i)));
    }
}
