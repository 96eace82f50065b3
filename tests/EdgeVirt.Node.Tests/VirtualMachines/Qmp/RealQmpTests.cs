using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qmp;

/// <summary>The client against a QEMU that has no guest to run.</summary>
[Category("root")]
public sealed class RealQmpTests
{
    private TempDirectory directory = null!;
    private ChildProcess process = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        process = ChildProcess.Start(
            "qemu-system-x86_64",
            ["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-accel", "tcg", "-m", "16", "-S", "-qmp", $"unix:{directory.Combine("qmp")},server=on,wait=off"],
            directory.Combine("qemu.log"));
    }

    [TearDown]
    public async Task TearDown()
    {
        await process.DisposeAsync();
        directory.Dispose();
    }

    [Test]
    public async Task Talks_to_a_QEMU_to_its_end()
    {
        await using var client = await ConnectAsync();
        Assert.That(client.Version, Does.Match(@"^\d+\.\d+\.\d+$"));
        Assert.That((await client.ExecuteAsync("query-status")).GetProperty("status").GetString(), Is.EqualTo("prelaunch"));
        Assert.That((await client.ExecuteAsync("query-qmp-schema")).GetArrayLength(), Is.GreaterThan(500), "the longest answer that QEMU has");
        await Assert.ThrowsAsync<QmpCommandException>(() => client.ExecuteAsync("query-status-of-nothing"));

        await client.ExecuteAsync("cont");
        Assert.That((await client.Events.ReadAsync(Limit())).Name, Is.EqualTo("RESUME"));
        await client.ExecuteAsync("quit");
        var shutdown = await client.Events.ReadAsync(Limit());
        Assert.That((shutdown.Name, shutdown.Text("reason")), Is.EqualTo(("SHUTDOWN", "host-qmp-quit")));
        Assert.That(shutdown.At, Is.Not.Null);
        Assert.That((await client.Ended.WaitAsync(TimeSpan.FromSeconds(10)))!.Fault, Is.EqualTo(QmpFault.Closed));
    }

    [Test]
    public async Task A_stopped_QEMU_is_noticed_in_time()
    {
        await using var client = await ConnectAsync();
        Command.Run("kill", "-STOP", $"{process.Id}");
        try
        {
            var began = TimeProvider.System.GetTimestamp();
            Assert.That((await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("query-status", timeout: TimeSpan.FromSeconds(1))))!.Fault, Is.EqualTo(QmpFault.Hung));
            Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(4)));
        }
        finally
        {
            Command.Run("kill", "-CONT", $"{process.Id}");
        }
    }

    private static CancellationToken Limit() => new CancellationTokenSource(TimeSpan.FromSeconds(10)).Token;

    private async Task<QmpClient> ConnectAsync()
    {
        QmpClient? client = null;
        await process.WaitUntilAsync(
            "listening",
            async () =>
            {
                try
                {
                    client = await QmpClient.ConnectAsync(directory.Combine("qmp"), QmpLimits.Default, TimeProvider.System, default);
                    return true;
                }
                catch (QmpException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20));
        return client!;
    }
}
