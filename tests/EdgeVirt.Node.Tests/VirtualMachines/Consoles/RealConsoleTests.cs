using System.Buffers.Binary;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Tests.Containers.Interactive;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Testing;
using Google.Protobuf;

namespace EdgeVirt.Node.Tests.VirtualMachines.Consoles;

/// <summary>Consoles and displays of a machine that really runs, through the agent's channels.</summary>
[Category("root")]
public sealed class RealConsoleTests
{
    private const string Echo = "while read line; do echo heard $line; done";

    [Test]
    public async Task What_is_typed_reaches_the_guest_and_the_console_goes_to_who_takes_it_by_force()
    {
        await using var board = await ConsoleBoard.StartAsync(Echo);
        await board.RunAsync();
        await using var first = await board.OpenAsync(Typing(), "alice");
        await first.UntilAsync(channel => channel.Out.Contains(LinuxGuest.Marker, StringComparison.Ordinal));
        await first.SendAsync("one\n");
        await first.UntilAsync(channel => channel.Out.Contains("heard one\r\n", StringComparison.Ordinal));

        await using var watching = await board.OpenAsync(new ConsoleRequest { Machine = "router", Follow = true, ReadOnly = true, Tail = 1 });
        await watching.UntilAsync(channel => channel.Out == "heard one\r\n");

        await using (var refused = await board.OpenAsync(Typing(), "bob"))
        {
            await refused.EndAsync();
            Assert.That(refused.Closed!.Reason, Is.EqualTo(CloseReason.Conflict));
            Assert.That(refused.Closed.Message, Does.StartWith("The console of 'router' is in use by 'alice' since 20").And.Contain("--force").And.Contain("--read-only"));
        }

        await using var second = await board.OpenAsync(Typing(force: true), "bob");
        await first.EndAsync();
        Assert.That((first.Closed!.Reason, first.Closed.Message), Is.EqualTo((CloseReason.Conflict, first.Closed.Message)));
        Assert.That(first.Closed.Message, Does.StartWith("The console of 'router' was taken over by 'bob'."));
        await second.SendAsync("two\n");
        await second.UntilAsync(channel => channel.Out.Contains("heard two\r\n", StringComparison.Ordinal));
        await watching.UntilAsync(channel => channel.Out.EndsWith("heard two\r\n", StringComparison.Ordinal));
    }

    [Test]
    public async Task What_was_written_is_kept_over_an_agents_end_with_what_came_meanwhile()
    {
        await using var board = await ConsoleBoard.StartAsync("read line; bb sleep 2; echo while you were away\n" + Echo);
        await board.RunAsync();
        var run = board.Agent.Records.All.Single().Run!;
        await using (var first = await board.OpenAsync(Typing()))
        {
            await first.UntilAsync(channel => channel.Out.Contains(LinuxGuest.Marker, StringComparison.Ordinal));
            await first.SendAsync("go\n");
            await first.UntilAsync(channel => channel.Out.Contains("go", StringComparison.Ordinal));
        }

        await board.RestartAsync();
        Assert.That(board.Agent.Records.All.Single().Run, Is.EqualTo(run), "the same QEMU");
        await using var second = await board.OpenAsync(Typing());
        await second.UntilAsync(channel => channel.Out.Contains("while you were away", StringComparison.Ordinal));
        Assert.That(second.Out, Does.Contain(LinuxGuest.Marker));
        await second.SendAsync("again\n");
        await second.UntilAsync(channel => channel.Out.Contains("heard again\r\n", StringComparison.Ordinal));
    }

    [Test]
    public async Task A_guest_that_floods_with_no_agent_there_fills_its_share_of_memory_and_goes_on()
    {
        await using var board = await ConsoleBoard.StartAsync("read line; bb yes 0123456789012345678901234567890123456789 | bb head -c 5000000; echo; echo FLOODED\n" + Echo);
        await board.RunAsync();
        // Nobody asks the loop for another pass, so that nobody looks after the log but who has a console.
        await using (var typing = await board.OpenAsync(Typing()))
        {
            await typing.UntilAsync(channel => channel.Out.Contains(LinuxGuest.Marker, StringComparison.Ordinal));
            await typing.SendAsync("go\n");
            await typing.UntilAsync(channel => channel.Out.Contains("0123", StringComparison.Ordinal));
        }

        await UntilAsync(() => new FileInfo(board.Paths.ConsoleLog).Length >= 3_900_000 || new FileInfo(board.Paths.ConsoleLog).Length > ConsoleSpool.MostBytes, "the log being full");
        await using var late = await board.OpenAsync(Typing());
        await UntilAsync(
            () =>
            {
                late.SendAsync("more\n").Wait();
                return late.Out.Contains("heard more", StringComparison.Ordinal);
            },
            "the guest being done");
        Assert.That(DiskBlocks(board.Paths.ConsoleLog), Is.LessThanOrEqualTo(ConsoleSpool.MostBytes));
    }

    [Test]
    public async Task The_end_of_a_machine_ends_its_console_and_leaves_what_was_written()
    {
        await using var board = await ConsoleBoard.StartAsync("read line; echo last words; bb poweroff -f");
        await board.RunAsync();
        await using var channel = await board.OpenAsync(Typing());
        await channel.UntilAsync(one => one.Out.Contains(LinuxGuest.Marker, StringComparison.Ordinal));
        await channel.SendAsync("\n");
        await channel.EndAsync();
        Assert.That((channel.Closed!.Reason, channel.Out), Is.EqualTo((CloseReason.Done, channel.Out)));
        Assert.That(channel.Out, Does.Contain("last words"));
        Assert.That(channel.Error, Does.Contain("[virtual machine 'router' has ended;"));

        await board.Agent.UntilAsync("router", status => status.State == VirtualMachineState.Stopped);
        await using (var off = await board.OpenAsync(Typing()))
        {
            await off.EndAsync();
            Assert.That((off.Closed!.Reason, off.Closed.Message), Is.EqualTo((CloseReason.NotFound, off.Closed.Message)));
            Assert.That(off.Closed.Message, Does.Contain("is not running").And.Contain("edgevirt console --log router"));
        }

        await using (var log = await board.OpenAsync(new ConsoleRequest { Machine = "router", Tail = -1 }))
        {
            await log.EndAsync();
            Assert.That((log.Closed!.Reason, log.Out), Is.EqualTo((CloseReason.Done, channel.Out)));
        }

        await using (var nobody = await board.OpenAsync(new ConsoleRequest { Machine = "nobody", Tail = -1 }))
        {
            await nobody.EndAsync();
            Assert.That(nobody.Closed!.Message, Is.EqualTo("There is no virtual machine 'nobody' on this node; there are router."));
        }

        var paths = board.Paths;
        await board.DesireAsync();
        await board.Agent.UntilGoneAsync("router");
        Assert.That((Directory.Exists(paths.ConsoleDirectory), Mounts.IsMounted(paths.ConsoleDirectory)), Is.EqualTo((false, false)));
    }

    [TestCase(null)]
    [TestCase(VirtualDisplayType.Virtio)]
    public async Task A_viewer_gets_a_picture_of_the_display_until_another_takes_it(VirtualDisplayType? display)
    {
        await using var board = await ConsoleBoard.StartAsync(Echo);
        await board.RunAsync(display);
        await using var viewer = await board.OpenAsync(Viewing());
        var server = new RfbReader(viewer);
        await server.GreetAsync();
        var (width, height) = await server.BeginAsync();
        Assert.That((width, height), Is.GreaterThan((100, 100)));
        var (x, y, w, h, bytes) = await server.PictureAsync(width, height);
        // The guest may have chosen another text mode meanwhile: a viewer that has not said that it can follow gets what is within both.
        Assert.That((x, y, w <= width, h <= height, bytes), Is.EqualTo((0, 0, true, true, w * h * 4)));
        Assert.That((w, h), Is.GreaterThan((100, 100)));

        await using (var refused = await board.OpenAsync(new OpenChannel { Vnc = new VncRequest { Machine = "router", Probe = true } }))
        {
            await refused.EndAsync();
            Assert.That((refused.Closed!.Reason, refused.Closed.Message), Is.EqualTo((CloseReason.Conflict, refused.Closed.Message)));
            Assert.That(refused.Closed.Message, Does.Contain("in use by somebody on the board").And.Not.Contain("--read-only"));
        }

        await using var second = await board.OpenAsync(Viewing(force: true));
        await viewer.EndAsync();
        Assert.That(viewer.Closed!.Message, Does.Contain("The display of 'router' was taken over by somebody on the board"));
        await new RfbReader(second).GreetAsync();
    }

    [TestCase(VirtualDisplayType.None, null)]
    [TestCase(null, VirtualMachineModel.MicroVm)]
    public async Task A_machine_without_a_display_says_so(VirtualDisplayType? display, VirtualMachineModel? model)
    {
        await using var board = await ConsoleBoard.StartAsync(Echo);
        await board.RunAsync(display, model);
        await using var viewer = await board.OpenAsync(Viewing());
        await viewer.EndAsync();
        Assert.That((viewer.Closed!.Reason, viewer.Closed.Message), Is.EqualTo((CloseReason.Invalid, viewer.Closed.Message)));
        Assert.That(viewer.Closed.Message, Does.Contain("no display").And.Contain("edgevirt console router"));
    }

    private static ConsoleRequest Typing(bool force = false) => new() { Machine = "router", Follow = true, Tail = -1, Force = force };

    private static OpenChannel Viewing(bool force = false) => new() { Vnc = new VncRequest { Machine = "router", Force = force } };

    private static long DiskBlocks(string path) => 1024 * long.Parse(Command.Run("du", "-k", path).Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture);

    private static async Task UntilAsync(Func<bool> holds, string what)
    {
        for (var i = 0; i < 600; i++)
        {
            if (holds())
            {
                return;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException(what);
    }

    /// <summary>A VNC client of RFC 6143, as far as a picture.</summary>
    private sealed class RfbReader(TestChannel channel)
    {
        private int at;

        public async Task GreetAsync()
        {
            Assert.That(System.Text.Encoding.ASCII.GetString(await TakeAsync(12)), Is.EqualTo("RFB 003.008\n"));
            await channel.SendAsync("RFB 003.008\n");
            var types = await TakeAsync((await TakeAsync(1))[0]);
            Assert.That(types, Does.Contain((byte)1), "security type None");
        }

        public async Task<(int Width, int Height)> BeginAsync()
        {
            await SendAsync(1);
            Assert.That(await TakeAsync(4), Is.All.Zero, "SecurityResult");
            await SendAsync(1);
            var init = await TakeAsync(24);
            await TakeAsync(BinaryPrimitives.ReadInt32BigEndian(init.AsSpan(20)));
            Assert.That(init[4], Is.EqualTo(32), "bits per pixel");
            return (BinaryPrimitives.ReadUInt16BigEndian(init), BinaryPrimitives.ReadUInt16BigEndian(init.AsSpan(2)));
        }

        public async Task<(int X, int Y, int Width, int Height, int Bytes)> PictureAsync(int width, int height)
        {
            // SetEncodings: Raw alone. Then FramebufferUpdateRequest of the whole.
            await SendAsync(2, 0, 0, 1, 0, 0, 0, 0);
            await SendAsync(3, 0, 0, 0, 0, 0, (byte)(width >> 8), (byte)width, (byte)(height >> 8), (byte)height);
            var head = await TakeAsync(4);
            Assert.That((head[0], BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2))), Is.EqualTo(((byte)0, (ushort)1)), "FramebufferUpdate of one rectangle");
            var area = await TakeAsync(12);
            Assert.That(BinaryPrimitives.ReadInt32BigEndian(area.AsSpan(8)), Is.Zero, "Raw");
            int Field(int offset) => BinaryPrimitives.ReadUInt16BigEndian(area.AsSpan(offset));
            return (Field(0), Field(2), Field(4), Field(6), (await TakeAsync(Field(4) * Field(6) * 4)).Length);
        }

        private Task SendAsync(params byte[] bytes) => channel.SendAsync(new StreamMessage { Data = ByteString.CopyFrom(bytes) });

        private async Task<byte[]> TakeAsync(int count)
        {
            await channel.UntilAsync(one => Bytes(one).Length >= at + count);
            at += count;
            return Bytes(channel)[(at - count)..at];
        }

        private static byte[] Bytes(TestChannel channel)
        {
            lock (channel.Messages)
            {
                return [.. channel.Messages.Where(message => message.KindCase == StreamMessage.KindOneofCase.Data).SelectMany(message => message.Data)];
            }
        }
    }
}
