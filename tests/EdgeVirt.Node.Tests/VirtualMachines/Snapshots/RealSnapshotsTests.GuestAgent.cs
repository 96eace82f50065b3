using System.Globalization;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Snapshots;

/// <summary>Guests that run an agent: one of a few lines, which can be told to fail, and Debian's own.</summary>
public sealed partial class RealSnapshotsTests
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

    [Test]
    public async Task Debians_guest_agent_has_its_file_system_clean_in_the_snapshot_and_switches_the_guest_off()
    {
        if (GuestAgentProgram.Files is not { } files)
        {
            Assert.Ignore("there is no qemu-guest-agent that would run in a guest here, and none can be fetched");
            return;
        }

        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), CountingOnExt4, files);
        Command.Run("truncate", "--size=16M", directory.Combine("ext4.raw"));
        Command.Run("mke2fs", "-q", "-t", "ext4", directory.Combine("ext4.raw"));
        Command.Run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", directory.Combine("ext4.raw"), directory.Combine("layer", "disk", "disk.qcow2"));
        await agent.DesireAsync(1, WithCard(1));
        await UntilSaidAsync("FOUND 0 0.");
        var told = await agent.UntilAsync("counter", now => now.Interfaces?.Count > 0 && now.Interfaces[0].Addresses.Count > 0);
        Assert.That(told.Interfaces!.Single().Addresses, Is.EqualTo((string[])["10.1.2.3"]));
        await CountsAsync(5);
        var before = LastNumber();
        var snapshot = await AskAsync(owner => owner.SnapshotAsync("clean"));
        Assert.That(snapshot.FsFrozen, Is.True);
        await CountsAsync(5);

        var raw = directory.Combine("clean.raw");
        using (var reading = await AskAsync(owner => owner.RequestAsync((all, monitor, ct) => all.ReadAsync("clean", "root", monitor, ct))))
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
        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), ShellAgent.Lines(obeys) + Counting.Replace("while :; do", "while :; do\n  while [ -e /tmp/frozen ]; do bb usleep 10000; done", StringComparison.Ordinal));
        await agent.DesireAsync(1, WithCard(1));
        await UntilSaidAsync("FOUND 0 0.");
        await CountsAsync(2);
        await UntilSaidAsync("AGENT UP");
        var told = await agent.UntilAsync("counter", now => now.Interfaces is not null);
        Assert.That(told.Interfaces!.Single(), Has.Property("MacAddress").EqualTo(agent.Records.All.Single().Cards.Single().MacAddress).And.Property("Addresses").EqualTo((string[])["10.1.2.3"]));

        var snapshot = await AskAsync(owner => owner.SnapshotAsync("a"));
        Assert.That(snapshot.FsFrozen, Is.EqualTo(obeys));
        await UntilSaidAsync("THAWED");
        await CountsAsync(2);
        Assert.That(Said().IndexOf("FROZEN", StringComparison.Ordinal), Is.GreaterThan(0).And.LessThan(Said().IndexOf("THAWED", StringComparison.Ordinal)));

        // It ends by its agent: this guest knows no power button.
        await EndsAsAskedAsync();
    }

    // It stands still for four seconds of the node's; by its own clock alone it would be behind by them afterwards.
    [Test]
    public async Task A_guest_that_was_paused_has_the_right_time_afterwards()
    {
        LinuxGuest.WriteInitrd(directory.Combine("layer", "boot", "initrd"), ShellAgent.Lines(obeys: true) + Counting);
        await agent.DesireAsync(1, WithCard(1));
        await UntilSaidAsync("AGENT UP");
        await CountsAsync(1);
        await agent.DesireAsync(2, WithCard(2) with { Spec = WithCard(2).Spec with { Power = VirtualMachinePower.Paused } });
        await agent.UntilAsync("counter", now => now.State == VirtualMachineState.Paused);
        Assert.That(Said(), Does.Not.Contain("CLOCK"), "nobody sets a clock that is right");
        await Task.Delay(TimeSpan.FromSeconds(4));
        await agent.DesireAsync(3, WithCard(3));
        await UntilSaidAsync("CLOCK SET.");
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var (before, after) = ShellAgent.ClockIn(Said());
        Assert.That(after - before, Is.InRange(3, 30), "it was behind");
        Assert.That(after, Is.InRange(now - 5, now + 1), "and is not any more");
        await CountsAsync(1);
    }

    private async Task EndsAsAskedAsync()
    {
        await agent.DesireAsync(2, WithCard(2) with { Spec = WithCard(2).Spec with { Power = VirtualMachinePower.Stopped, TerminationGracePeriodSeconds = 60 } });
        var status = await agent.UntilAsync("counter", now => now.State == VirtualMachineState.Stopped);
        Assert.That(status.LastExit!.Reason, Is.EqualTo(VmExits.Stopped));
        Assert.That(status.Interfaces, Is.Null);
        Assert.That(Said(), Does.Contain("SHUT DOWN"));
    }

    private static DesiredVirtualMachine WithCard(long generation) =>
        Machine(null, "8Mi", generation) with { Spec = Machine(null, "8Mi", generation).Spec with { Interfaces = null } };
}
