using System.Text.Json;
using EdgeVirt.Node.Tests.VirtualMachines.Qmp;
using EdgeVirt.Node.VirtualMachines.GuestAgents;
using EdgeVirt.Node.VirtualMachines.Qmp;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;

/// <summary>The clock of a guest that stood still.</summary>
public sealed class GuestClockTests
{
    private const string ByHardware = """{"execute":"guest-set-time"}""";

    [Test]
    public async Task Is_set_by_the_hardware_clock()
    {
        using var guest = new FakeGuest(async guest =>
        {
            await guest.AgreeAsync();
            Assert.That(await guest.HearAsync(), Is.EqualTo(ByHardware));
            await guest.SayAsync("{\"return\": {}}\n");
            Assert.That(await guest.HearAsync(), Is.Null);
        });
        Assert.That(await SetClockAsync(guest), Is.True);
        await guest.EndAsync();
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Is_told_the_nodes_time_where_the_guest_cannot_read_its_own(bool agrees)
    {
        var before = TimeProvider.System.GetUtcNow();
        using var guest = new FakeGuest(async guest =>
        {
            await guest.AgreeAsync();
            Assert.That(await guest.HearAsync(), Is.EqualTo(ByHardware));
            await guest.SayAsync("{\"error\": {\"class\": \"GenericError\", \"desc\": \"hwclock failed\"}}\n");
            using var told = JsonDocument.Parse((await guest.HearAsync())!);
            Assert.That(told.RootElement.GetProperty("execute").GetString(), Is.EqualTo("guest-set-time"));
            var time = DateTimeOffset.UnixEpoch.AddMicroseconds(told.RootElement.GetProperty("arguments").GetProperty("time").GetInt64() / 1000);
            Assert.That(time, Is.InRange(before.AddMilliseconds(-1), TimeProvider.System.GetUtcNow()));
            await guest.SayAsync(agrees ? "{\"return\": {}}\n" : "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n");
            Assert.That(await guest.HearAsync(), Is.Null);
        });
        if (agrees)
        {
            Assert.That(await SetClockAsync(guest), Is.True);
        }
        else
        {
            Assert.That((await Assert.ThrowsAsync<GuestAgentRefusedException>(() => SetClockAsync(guest)))!.Message, Does.Contain("disabled"));
        }

        await guest.EndAsync();
    }

    [Test]
    public async Task Is_left_alone_where_there_is_no_agent()
    {
        using var guest = new FakeGuest(_ => throw new InvalidOperationException("nobody is to ask it"));
        Assert.That(await SetClockAsync(guest, isOpen: false), Is.False);
    }

    [Test]
    public async Task Is_not_waited_for_without_end()
    {
        using var guest = new FakeGuest(async guest =>
        {
            await guest.AgreeAsync();
            await guest.HangAsync();
        });
        var began = TimeProvider.System.GetTimestamp();
        Assert.That((await Assert.ThrowsAsync<GuestAgentException>(() => SetClockAsync(guest)))!.Message, Does.Contain("did not answer guest-set-time"));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(10)));
    }

    private static async Task<bool> SetClockAsync(FakeGuest guest, bool isOpen = true)
    {
        using var qemu = new ScriptedQemu(async qemu =>
        {
            await qemu.BeginAsync();
            await qemu.HearAsync();
            await qemu.SayAsync($$"""{"return": [{"label": "agent0", "filename": "unix", "frontend-open": {{(isOpen ? "true" : "false")}}}], "id": 2}""");
            await qemu.HangAsync();
        });
        await using var monitor = await QmpClient.ConnectAsync(qemu.SocketPath, QmpLimits.Default, TimeProvider.System, default);
        return await new GuestAgent(guest.Path, monitor, TimeProvider.System, NullLogger.Instance).TrySetClockAsync(default);
    }
}
