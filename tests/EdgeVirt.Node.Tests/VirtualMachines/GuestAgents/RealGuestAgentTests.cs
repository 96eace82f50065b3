using System.Globalization;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.VirtualMachines.Snapshots;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;

/// <summary>Guests that run an agent: one of a few lines, which can be told to fail, and Debian's own.</summary>
[Category("root")]
public sealed class RealGuestAgentTests
{
    // Nothing is synced: what a snapshot has of the newest numbers, the agent's freezing brought there.
    private const string CountingOnExt4 =
        """
        bb mkdir -p /etc /sbin
        bb ln -s /bin/busybox /bin/sh
        bb ln -s /proc/self/mounts /etc/mtab
        printf '#!/bin/sh\necho "SHUT DOWN." >/dev/ttyS0\n/bin/busybox poweroff -f\n' >/sbin/shutdown
        bb chmod +x /sbin/shutdown
        bb mount -t ext4 /dev/vda /mnt
        bb ip link set eth0 up
        bb ip addr add 10.1.2.3/24 dev eth0
        until [ -c "$(echo /dev/vport*p1)" ]; do bb usleep 20000; done
        /usr/sbin/qemu-ga -m virtio-serial -p $(echo /dev/vport*p1) -t /tmp -f /tmp/qga.pid &
        echo "FOUND 0 0."
        n=0
        while :; do
          n=$((n+1))
          echo $n >/mnt/n
          echo "N $n 0."
          bb usleep 50000
        done
        """;

    private CountingGuest guest = null!;

    [SetUp]
    public async Task SetUp() => guest = await CountingGuest.BoardAsync();

    [TearDown]
    public async Task TearDown() => await (guest?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task Debians_guest_agent_has_its_file_system_clean_in_the_snapshot_and_switches_the_guest_off()
    {
        if (GuestAgentProgram.Files is not { } files)
        {
            Assert.Ignore("there is no qemu-guest-agent that would run in a guest here, and none can be fetched");
            return;
        }

        guest.Board.Script(CountingOnExt4, files);
        Command.Run("truncate", "--size=16M", guest.Board.Combine("ext4.raw"));
        Command.Run("mke2fs", "-q", "-t", "ext4", guest.Board.Combine("ext4.raw"));
        Command.Run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", guest.Board.Combine("ext4.raw"), Path.Combine(guest.Board.Layer, "disk", "disk.qcow2"));
        await guest.Board.DesireAsync(WithCard(1));
        await guest.UntilSaidAsync("FOUND 0 0.");
        var told = await guest.Agent.UntilAsync(CountingGuest.Name, now => now.Interfaces?.Count > 0 && now.Interfaces[0].Addresses.Count > 0);
        Assert.That(told.Interfaces!.Single().Addresses, Is.EqualTo((string[])["10.1.2.3"]));
        await guest.CountsAsync(5);
        var before = guest.LastNumber();
        var snapshot = await guest.AskAsync(owner => owner.SnapshotAsync("clean"));
        Assert.That(snapshot.FsFrozen, Is.True);
        await guest.CountsAsync(5);

        var raw = guest.Board.Combine("clean.raw");
        using (var reading = await guest.AskAsync(owner => owner.RequestAsync((all, monitor, ct) => all.ReadAsync("clean", "root", monitor, ct))))
        {
            await reading.WriteAsync(default);
            Command.Run("qemu-img", "convert", "-q", "-O", "raw", reading.Path, raw);
        }

        Assert.That(Command.Run("dumpe2fs", "-h", raw), Does.Contain("has_journal").And.Not.Contain("needs_recovery"), "nothing is left to be recovered");
        Command.Run("e2fsck", "-fn", raw);
        Assert.That(int.Parse(Command.Run("debugfs", "-R", "cat /n", raw), CultureInfo.InvariantCulture), Is.GreaterThanOrEqualTo(before), "what was in the guest's memory alone is there");
        await EndsAsAskedAsync();
    }

    // The guest's agent is a few lines of shell; frozen, the guest writes nothing until it is thawed.
    [TestCase(true)]
    [TestCase(false)]
    public async Task A_guest_with_an_agent_is_at_rest_while_the_snapshot_is_taken(bool obeys)
    {
        guest.Board.Script(ShellAgent.Lines(obeys) + CountingGuest.Counting.Replace("while :; do", "while :; do\n  while [ -e /tmp/frozen ]; do bb usleep 10000; done", StringComparison.Ordinal));
        await guest.Board.DesireAsync(WithCard(1));
        await guest.UntilSaidAsync("FOUND 0 0.");
        await guest.CountsAsync(2);
        await guest.UntilSaidAsync("AGENT UP");
        var told = await guest.Agent.UntilAsync(CountingGuest.Name, now => now.Interfaces is not null);
        Assert.That(told.Interfaces!.Single(), Has.Property("MacAddress").EqualTo(guest.Board.Record.Cards.Single().MacAddress).And.Property("Addresses").EqualTo((string[])["10.1.2.3"]));

        var snapshot = await guest.AskAsync(owner => owner.SnapshotAsync("a"));
        Assert.That(snapshot.FsFrozen, Is.EqualTo(obeys));
        await guest.UntilSaidAsync("THAWED");
        await guest.CountsAsync(2);
        Assert.That(guest.Board.ConsoleOf(CountingGuest.Name).IndexOf("FROZEN", StringComparison.Ordinal), Is.GreaterThan(0).And.LessThan(guest.Board.ConsoleOf(CountingGuest.Name).IndexOf("THAWED", StringComparison.Ordinal)));

        // It ends by its agent: this guest knows no power button.
        await EndsAsAskedAsync();
    }

    // It stands still for four seconds of the node's; by its own clock alone it would be behind by them afterwards.
    [Test]
    public async Task A_guest_that_was_paused_has_the_right_time_afterwards()
    {
        guest.Board.Script(ShellAgent.Lines(obeys: true) + CountingGuest.Counting);
        await guest.Board.DesireAsync(WithCard(1));
        await guest.UntilSaidAsync("AGENT UP");
        await guest.CountsAsync(1);
        await guest.Board.DesireAsync(WithCard(2, spec => spec with { Power = VirtualMachinePower.Paused }));
        await guest.Agent.UntilAsync(CountingGuest.Name, now => now.State == VirtualMachineState.Paused);
        Assert.That(guest.Board.ConsoleOf(CountingGuest.Name), Does.Not.Contain("CLOCK"), "nobody sets a clock that is right");
        await Task.Delay(TimeSpan.FromSeconds(4));
        var resumed = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        await guest.Board.DesireAsync(WithCard(3));
        var (before, after) = ShellAgent.ClockIn(await guest.UntilSaidAsync("CLOCK SET."));
        Assert.That(after - before, Is.InRange(3, 60), "it was behind");
        Assert.That(after, Is.InRange(resumed - 1, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 1), "and is not any more");
        await guest.CountsAsync(1);
    }

    private async Task EndsAsAskedAsync()
    {
        await guest.Board.DesireAsync(WithCard(2, spec => spec with { Power = VirtualMachinePower.Stopped, TerminationGracePeriodSeconds = 60 }));
        var status = await guest.Agent.UntilAsync(CountingGuest.Name, now => now.State == VirtualMachineState.Stopped);
        Assert.That(status.LastExit!.Reason, Is.EqualTo(VmExits.Stopped));
        Assert.That(status.Interfaces, Is.Null);
        Assert.That(guest.Board.ConsoleOf(CountingGuest.Name), Does.Contain("SHUT DOWN"));
    }

    private static DesiredVirtualMachine WithCard(long generation, Func<VirtualMachineSpec, VirtualMachineSpec>? with = null)
    {
        var machine = CountingGuest.Machine(generation: generation);
        return machine with { Spec = (with ?? (spec => spec))(machine.Spec with { Interfaces = null }) };
    }
}
