using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Qmp;

namespace EdgeVirt.Node.Tests.VirtualMachines;

public sealed class VmExitsTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    [TestCase(0, "guest-shutdown", false, false, false, "Completed", 0)]
    [TestCase(0, "guest-shutdown", false, false, true, VmExits.Stopped, 0)]
    [TestCase(0, "guest-panic", true, false, false, "GuestPanicked", 1)]
    [TestCase(null, "guest-panic", true, false, true, "GuestPanicked", 1)]
    [TestCase(0, "host-signal", false, false, false, "Error", 0)]
    [TestCase(137, null, false, true, false, "OOMKilled", 137)]
    [TestCase(137, null, false, false, false, "Error", 137)]
    [TestCase(134, null, false, false, false, "Error", 134)]
    [TestCase(null, null, false, false, false, "Lost", 255)]
    public void Says_how_a_run_ended(int? code, string? reason, bool panicked, bool outOfMemory, bool asked, string expected, int expectedCode)
    {
        var exit = VmExits.Of(code, new VmHappenings(reason, panicked, 0, null), outOfMemory, asked, Now);
        Assert.That((exit.Reason, exit.Code, exit.FinishedAt), Is.EqualTo((expected, expectedCode, (DateTimeOffset?)Now)));
    }

    [TestCase(RestartPolicy.Always, "Completed", 0, true)]
    [TestCase(RestartPolicy.OnFailure, "Completed", 0, false)]
    [TestCase(RestartPolicy.OnFailure, "GuestPanicked", 1, true)]
    [TestCase(RestartPolicy.Never, "GuestPanicked", 1, false)]
    [TestCase(RestartPolicy.Never, VmExits.Stopped, 0, true)]
    public void Starts_again_by_its_policy(RestartPolicy policy, string reason, int code, bool expected) =>
        Assert.That(VmExits.Restarts(policy, new ContainerExit { Reason = reason, Code = code }), Is.EqualTo(expected));

    [TestCase(0, 0)]
    [TestCase(1, 0)]
    [TestCase(2, 1)]
    [TestCase(5, 8)]
    [TestCase(60, 300)]
    public void Waits_longer_each_time(int failures, int seconds)
    {
        var record = Record with { Failures = failures, LastExit = new ContainerExit { Reason = "Error", Code = 1, FinishedAt = Now } };
        Assert.That(VmExits.DueAfter(record, Now), Is.EqualTo(Now.AddSeconds(seconds)));
        Assert.That(VmExits.DueAfter(record, Now.AddDays(-1)), Is.EqualTo(Now.AddDays(-1).AddSeconds(seconds)), "a clock that was set back");
    }

    [Test]
    public void A_long_run_starts_the_count_over()
    {
        var record = Record with { Failures = 7, Run = new VmRun(1, 2, Now, 1, 0, 0, false) };
        Assert.That(VmExits.FailuresAfter(record, new ContainerExit { Code = 1, Reason = "Error", FinishedAt = Now.AddMinutes(9) }), Is.EqualTo(8));
        Assert.That(VmExits.FailuresAfter(record, new ContainerExit { Code = 1, Reason = "Error", FinishedAt = Now.AddMinutes(10) }), Is.EqualTo(1));
        Assert.That(VmExits.FailuresAfter(record, new ContainerExit { Code = 1, Reason = VmExits.Stopped, FinishedAt = Now.AddMinutes(1) }), Is.Zero);
    }

    [Test]
    public void Follows_what_QEMU_says()
    {
        var seen = new VmHappenings(null, false, 0, null);
        seen = VmWatch.After(seen, Event("BLOCK_IO_ERROR", """{"node-name": "disk0", "operation": "write", "action": "stop", "reason": "No space left on device"}"""));
        Assert.That(seen.FailedDisk, Is.EqualTo("disk0: write: No space left on device"));
        Assert.That(VmWatch.After(seen, Event("BLOCK_IO_ERROR", """{"node-name": "disk1", "action": "report"}""")), Is.EqualTo(seen));
        seen = VmWatch.After(seen, Event("RESUME", "{}"));
        Assert.That(seen.FailedDisk, Is.Null);
        seen = VmWatch.After(seen, Event("RESET", """{"guest": true, "reason": "guest-reset"}"""));
        seen = VmWatch.After(seen, Event("RESET", """{"guest": false, "reason": "host-qmp-system-reset"}"""));
        seen = VmWatch.After(seen, Event("GUEST_PANICKED", """{"action": "poweroff"}"""));
        seen = VmWatch.After(seen, Event("SHUTDOWN", """{"guest": true, "reason": "guest-panic"}"""));
        Assert.That(seen, Is.EqualTo(new VmHappenings("guest-panic", true, 1, null) { LastReset = new VirtualMachineReset(VmWatch.GuestReset, null) }));
    }

    [Test]
    public void A_reset_by_the_watchdog_is_told_from_one_by_the_guest()
    {
        var seen = VmWatch.After(VmHappenings.None, Event("WATCHDOG", """{"action": "reset"}"""));
        seen = VmWatch.After(seen, Event("RESET", """{"guest": true, "reason": "guest-reset"}"""));
        Assert.That((seen.Resets, seen.LastReset?.Reason), Is.EqualTo((1, VmExits.WatchdogExpired)));
        seen = VmWatch.After(seen, Event("RESET", """{"guest": true, "reason": "guest-reset"}"""));
        Assert.That((seen.Resets, seen.LastReset?.Reason), Is.EqualTo((2, VmWatch.GuestReset)));
    }

    private static VmRecord Record => new() { Id = "a-1", Name = "a", Uid = "1", User = 1 };

    private static QmpEvent Event(string name, string data) => new(name, JsonDocument.Parse(data).RootElement, null);
}
