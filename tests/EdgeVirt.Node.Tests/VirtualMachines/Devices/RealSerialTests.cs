using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Devices;

/// <summary>Devices of the node in a real guest: a virtual terminal of this machine stands for a serial port, since what is written to one can be read from its screen.</summary>
[Category("root")]
public sealed class RealSerialTests
{
    public const string Terminal = "/dev/tty62";
    private const string Screen = "/dev/vcs62";

    private GuestBoard? board;

    [TearDown]
    public async Task TearDown() => await (board?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task A_guest_writes_to_the_nodes_serial_port_which_nobody_else_gets_meanwhile()
    {
        if (!File.Exists(Terminal))
        {
            Assert.Ignore("this machine has no virtual terminals");
        }

        var word = $"meter-{Guid.NewGuid():N}";
        board = await GuestBoard.StartLinuxAsync($"for t in 1 2 3 4 5 6 7; do echo {word} >/dev/ttyS$t; done 2>/dev/null\nbb sleep 1000");
        var machine = With(Line(Terminal));
        await board.DesireAsync(machine);
        var run = await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running);
        for (var i = 0; i < 1000 && !(File.Exists(Screen) && (await File.ReadAllTextAsync(Screen)).Contains(word, StringComparison.Ordinal)); i++)
        {
            await Task.Delay(50);
        }

        Assert.That(await File.ReadAllTextAsync(Screen), Does.Contain(word));
        await board.DesireAsync(machine, With(Line(Terminal)) with { Name = "second", Uid = "01234567-second" });
        var second = await board.Agent.UntilAsync("second", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.DeviceInUse));
        Assert.That(second.Conditions[0].Message, Does.Contain("the virtual machine 'router'"));

        var nodes = VmPaths.Of(board.Agent.Tools.Options, "router-01234567").Nodes;
        Assert.That(Directory.GetFiles(nodes), Has.Length.EqualTo(1));
        await board.DesireAsync();
        await board.Agent.UntilGoneAsync("router");
        Assert.That(Directory.Exists(nodes), Is.False);
        Assert.That(run.RestartCount, Is.Zero);
    }

    [Test]
    public async Task A_machine_waits_for_a_device_that_is_not_there_and_QEMU_says_what_a_wrong_one_is()
    {
        using var sys = new FakeSys();
        board = await GuestBoard.StartLinuxAsync("bb sleep 1000", new MachineAgentSetup { Roots = sys.Roots });
        var machine = With(new VirtualDeviceSpec { Name = "stick", Usb = new VirtualUsbDevice { Vendor = "0403", Product = "6001" } });
        await board.DesireAsync(machine);
        var status = await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.DeviceMissing));
        Assert.That(status.Conditions[0].Message, Does.Contain("0403:6001").And.Contain("starts as soon as the device is there"));

        // The number of /dev/null: QEMU opens it as its user, and finds that it is no USB device.
        sys.AddUsb("1-1", "0403", "6001", "1:3");
        status = await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.StartFailed));
        Assert.That(status.Conditions[0].Message, Does.Contain("host usb device").And.Not.Contain("Permission denied"));
        Assert.That(board.Agent.Records.All.Single().Devices, Is.Empty, "given back");
    }

    [Test]
    public async Task A_USB_device_that_is_unplugged_goes_from_the_guest_and_the_status_says_so()
    {
        using var sys = new FakeSys();
        board = await GuestBoard.StartLinuxAsync("bb sleep 1000", new MachineAgentSetup { Roots = sys.Roots });
        var machine = With(device: null);
        await board.DesireAsync(machine);
        await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running);
        // As if it had been started with one, which no machine without USB can be: the next agent finds it in the record, and not on the node.
        var stick = new VirtualDeviceSpec { Name = "stick", Usb = new VirtualUsbDevice { Port = "1-1" } };
        var record = board.Agent.Records.All.Single();
        board.Agent.Records.Put(record with { Pluggable = [stick], Devices = [new VmDevice("stick", "USB device 1-1 (189:5)")] });
        await board.RestartAsync();
        var status = await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.DevicesPlugged, ConditionStatus.False, DevicesPluggedReasons.Unplugged));
        Assert.That((status.State, board.Agent.Records.All.Single().Devices.Count), Is.EqualTo((VirtualMachineState.Running, 0)));

        // Back again, but QEMU does not take it: the machine runs on without, and its node is taken back.
        sys.AddUsb("1-1", "0403", "6001", "1:3");
        for (var i = 0; i < 60; i++)
        {
            await board.Agent.Reconciler.ReconcileAsync(default);
            await Task.Delay(100);
        }

        Assert.That((board.Agent.Records.All.Single().Devices.Count, File.Exists(board.Paths.Node("stick"))), Is.EqualTo((0, false)));
        Assert.That(Directory.Exists(board.Paths.Nodes), "it was tried");
        var nodes = board.Paths.Nodes;
        await board.DesireAsync();
        await board.Agent.UntilGoneAsync("router");
        Assert.That(Directory.Exists(nodes), Is.False);
    }

    private static DesiredVirtualMachine With(VirtualDeviceSpec? device) => GuestBoard.Machine(with: spec => spec with
    {
        RestartPolicy = RestartPolicy.Never,
        Display = new VirtualDisplaySpec { Type = VirtualDisplayType.None },
        Devices = device is null ? null : [device],
    });

    private static VirtualDeviceSpec Line(string path) => new() { Name = "line", Serial = new VirtualSerialPort { Path = path } };
}
