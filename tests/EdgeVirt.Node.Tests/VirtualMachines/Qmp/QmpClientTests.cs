using System.Text;
using System.Text.Json.Nodes;
using EdgeVirt.Node.VirtualMachines.Qmp;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Qmp;

public sealed class QmpClientTests
{
    private static readonly QmpLimits Quick = new() { Answer = TimeSpan.FromMilliseconds(300), Events = 8, MessageBytes = 64 << 10, Commands = 4 };

    [Test]
    public async Task Greets_and_gives_each_command_its_own_answer()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            Assert.That(await qemu.HearAsync(), Is.EqualTo("""{"execute":"query-status","id":2}"""));
            Assert.That(await qemu.HearAsync(), Is.EqualTo("""{"execute":"device_del","arguments":{"id":"nic\u00220"},"id":3}"""));
            // Answers may come in any order, with events between them.
            await qemu.SayAsync("""{"error": {"class": "DeviceNotFound", "desc": "no nic"}, "id": 3}""");
            await qemu.SayAsync("""{"event": "STOP", "timestamp": {"seconds": 1700000000, "microseconds": 500000}}""");
            await qemu.SayAsync("""{"return": {"status": "running"}, "id": 2}""");
            await qemu.HangAsync();
        });
        await using (var client = await ConnectAsync(qemu, QmpLimits.Default))
        {
            Assert.That(client.Version, Is.EqualTo("7.2.22"));
            var status = client.ExecuteAsync("query-status");
            var refused = (await Assert.ThrowsAsync<QmpCommandException>(() => client.ExecuteAsync("device_del", new JsonObject { ["id"] = "nic\"0" })))!;
            Assert.That((refused.ErrorClass, refused.Message), Is.EqualTo(("DeviceNotFound", "QEMU refuses device_del: no nic")));
            Assert.That((await status).GetProperty("status").GetString(), Is.EqualTo("running"));
            var stop = await client.Events.ReadAsync(qemu.Token);
            Assert.That((stop.Name, stop.At), Is.EqualTo(("STOP", (DateTimeOffset?)DateTimeOffset.FromUnixTimeMilliseconds(1700000000500))));
            Assert.That((stop.Text("reason"), stop.Flag("guest")), Is.EqualTo(((string?)null, false)));
        }

        await qemu.EndAsync();
    }

    [Test]
    public async Task Reads_events_with_and_without_data()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.SayAsync("""{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}, "timestamp": {"seconds": -1, "microseconds": -1}}""");
        });
        await using var client = await ConnectAsync(qemu);
        var shutdown = await client.Events.ReadAsync(qemu.Token);
        Assert.That((shutdown.Name, shutdown.Flag("guest"), shutdown.Text("reason"), shutdown.At), Is.EqualTo(("SHUTDOWN", true, "guest-shutdown", (DateTimeOffset?)null)));
        Assert.That((await client.Ended)!.Fault, Is.EqualTo(QmpFault.Closed));
        await Assert.ThrowsAsync<QmpException>(async () => await client.Events.ReadAllAsync().GetAsyncEnumerator().MoveNextAsync());
    }

    [Test]
    public async Task Says_that_nobody_listens()
    {
        using var directory = new TempDirectory();
        var fault = (await Assert.ThrowsAsync<QmpException>(() => QmpClient.ConnectAsync(directory.Combine("none"), Quick, TimeProvider.System, default)))!;
        Assert.That((fault.Fault, fault.Message), Is.EqualTo((QmpFault.Closed, fault.Message)));
        Assert.That(fault.Message, Does.StartWith("no QEMU listens at "));
    }

    [Test]
    public async Task Follows_no_link()
    {
        using var qemu = new ScriptedQemu(qemu => qemu.BeginAsync());
        File.CreateSymbolicLink(qemu.SocketPath + "2", qemu.SocketPath);
        var fault = (await Assert.ThrowsAsync<QmpException>(() => QmpClient.ConnectAsync(qemu.SocketPath + "2", Quick, TimeProvider.System, default)))!;
        Assert.That(fault.Fault, Is.EqualTo(QmpFault.Junk));
    }

    [TestCase("SSH-2.0-OpenSSH_9.2")]
    [TestCase("[1, 2]")]
    [TestCase("{\"QMP\": {\"version\": {\"qemu\": {\"major\": \"7\"}}}}")]
    [TestCase("{\"QMP\": 5}")]
    public async Task Refuses_who_greets_wrongly(string greeting)
    {
        using var qemu = new ScriptedQemu(qemu => qemu.SayAsync(greeting));
        Assert.That(await FaultOfAsync(qemu), Is.EqualTo(QmpFault.Junk));
    }

    [Test]
    public async Task Gives_up_on_who_does_not_greet()
    {
        using var qemu = new ScriptedQemu(qemu => qemu.HangAsync());
        Assert.That(await FaultOfAsync(qemu), Is.EqualTo(QmpFault.Hung));
    }

    [Test]
    public async Task Gives_up_on_who_hangs_up_before_it_greets()
    {
        using var qemu = new ScriptedQemu(_ => Task.CompletedTask);
        Assert.That(await FaultOfAsync(qemu), Is.EqualTo(QmpFault.Closed));
    }

    [Test]
    public async Task Ends_the_connection_when_an_answer_does_not_come()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HangAsync();
        });
        await using var client = await ConnectAsync(qemu);
        var other = client.ExecuteAsync("query-block", timeout: TimeSpan.FromSeconds(10));
        var fault = (await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("query-status")))!;
        Assert.That((fault.Fault, fault.Message), Is.EqualTo((QmpFault.Hung, "QEMU did not answer query-status within 0.3 s")));
        Assert.That((await Assert.ThrowsAsync<QmpException>(() => other))!.Fault, Is.EqualTo(QmpFault.Hung), "everyone who waits is told");
        Assert.That((await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("query-cpus-fast")))!.Fault, Is.EqualTo(QmpFault.Hung), "and everyone who comes later");
    }

    [Test]
    public async Task Gives_up_on_who_does_not_read()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await Task.Delay(System.Threading.Timeout.InfiniteTimeSpan, TimeProvider.System, qemu.Token);
        });
        await using var client = await ConnectAsync(qemu);
        var fault = (await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("human-monitor-command", new JsonObject { ["command-line"] = new string('x', 8 << 20) })))!;
        Assert.That((fault.Fault, fault.Message), Is.EqualTo((QmpFault.Hung, "QEMU does not read: human-monitor-command could not be sent")));
    }

    [Test]
    public async Task Goes_on_after_somebody_stopped_waiting()
    {
        var asked = new TaskCompletionSource();
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HearAsync();
            asked.SetResult();
            await qemu.HearAsync();
            await qemu.SayAsync("""{"return": {"late": true}, "id": 2}""");
            await qemu.SayAsync("""{"return": {"late": false}, "id": 3}""");
            await qemu.HangAsync();
        });
        await using var client = await ConnectAsync(qemu, QmpLimits.Default);
        using var patience = new CancellationTokenSource();
        var first = client.ExecuteAsync("query-block", ct: patience.Token);
        await asked.Task;
        await patience.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => first);
        Assert.That((await client.ExecuteAsync("query-status")).GetProperty("late").GetBoolean(), Is.False);
    }

    [TestCase("""{"return": {}, "id": 77}""")]
    [TestCase("""{"return": {}}""")]
    [TestCase("""{"id": 2}""")]
    [TestCase("""{"event": 5}""")]
    [TestCase("""{"event": "A" """)]
    [TestCase("\u0001\u0002\u0003")]
    public async Task Ends_the_connection_over_junk(string line)
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HearAsync();
            await qemu.SayAsync(line);
            await qemu.HangAsync();
        });
        await using var client = await ConnectAsync(qemu);
        Assert.That((await Assert.ThrowsAsync<QmpException>(() => client.ExecuteAsync("query-status", timeout: TimeSpan.FromSeconds(10))))!.Fault, Is.EqualTo(QmpFault.Junk));
    }

    [Test]
    public async Task Ends_the_connection_over_a_flood_of_events()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await FloodAsync(qemu, """{"event": "RTC_CHANGE", "data": {"offset": 1}}""" + "\r\n");
        });
        await using var client = await ConnectAsync(qemu);
        Assert.That((await client.Ended)!.Message, Is.EqualTo("QEMU sent more than 8 events before they could be looked at"));
    }

    [Test]
    public async Task Ends_the_connection_over_a_line_without_end()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await FloodAsync(qemu, new string('x', 4096));
        });
        await using var client = await ConnectAsync(qemu);
        Assert.That((await client.Ended)!.Message, Is.EqualTo("QEMU sent a message of more than 65536 bytes"));
    }

    [Test]
    public async Task Takes_a_message_in_pieces_and_several_at_once()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HearAsync();
            var text = "\r\n{\"event\": \"A\"}\r\n{\"event\": \"B\"}\r\n{\"return\": \"" + new string('y', 20_000) + "\", \"id\": 2}\r\n";
            foreach (var piece in text.Chunk(777))
            {
                await qemu.Stream.WriteAsync(Encoding.UTF8.GetBytes(piece), qemu.Token);
                await Task.Yield();
            }

            await qemu.HangAsync();
        });
        await using var client = await ConnectAsync(qemu);
        Assert.That((await client.ExecuteAsync("query-qmp-schema", timeout: TimeSpan.FromSeconds(10))).GetString()!, Has.Length.EqualTo(20_000));
        Assert.That((await client.Events.ReadAsync(qemu.Token)).Name + (await client.Events.ReadAsync(qemu.Token)).Name, Is.EqualTo("AB"));
    }

    [Test]
    public async Task Waits_for_so_many_answers_and_no_more()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HangAsync();
        });
        await using var client = await ConnectAsync(qemu);
        var all = Enumerable.Range(0, 5).Select(_ => client.ExecuteAsync("query-status", timeout: TimeSpan.FromSeconds(10))).ToList();
        var fault = (await Assert.ThrowsAsync<QmpException>(() => all[4]))!;
        Assert.That(fault.Message, Is.EqualTo("4 commands wait for QEMU's answer already"));
        foreach (var task in all.Take(4))
        {
            await Assert.ThrowsAsync<QmpException>(() => task);
        }
    }

    [Test]
    public async Task Disposing_ends_what_waits()
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HangAsync();
        });
        var client = await ConnectAsync(qemu);
        var waiting = client.ExecuteAsync("query-status", timeout: TimeSpan.FromSeconds(10));
        await client.DisposeAsync();
        await Assert.ThrowsAsync<QmpException>(() => waiting);
        Assert.That(await client.Ended, Is.Null);
        await client.Events.Completion.WaitAsync(TimeSpan.FromSeconds(5));
    }

    private static Task<QmpClient> ConnectAsync(ScriptedQemu qemu, QmpLimits? limits = null) =>
        QmpClient.ConnectAsync(qemu.SocketPath, limits ?? Quick, TimeProvider.System, qemu.Token);

    private static async Task<QmpFault> FaultOfAsync(ScriptedQemu qemu) => (await Assert.ThrowsAsync<QmpException>(() => ConnectAsync(qemu)))!.Fault;

    private static async Task FloodAsync(ScriptedQemu qemu, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        try
        {
            while (true)
            {
                await qemu.Stream.WriteAsync(bytes, qemu.Token);
            }
        }
        catch (IOException)
        {
            // The other end had enough.
        }
    }
}
