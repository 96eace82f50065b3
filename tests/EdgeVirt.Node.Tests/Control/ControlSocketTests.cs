using System.Net.Sockets;
using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Tests.Hub;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Control;

public sealed class ControlSocketTests
{
    private string directory = null!;
    private ControlSocket socket = null!;

    [SetUp]
    public async Task SetUp()
    {
        directory = Directory.CreateTempSubdirectory("evc-").FullName;
        ChannelVerb[] verbs =
        [
            new LogsVerb(ReadLogs).Verb,
            new(OpenChannel.VerbOneofCase.Enroll, IsLocalOnly: true, (_, _, _) => throw new ChannelRefusedException(CloseReason.Invalid, "no")),
        ];
        var server = new ChannelServer(verbs, TimeProvider.System, NullLogger<ChannelServer>.Instance);
        socket = new ControlSocket(new NodeOptions { RunDir = directory }, server, NullLogger<ControlSocket>.Instance);
        await socket.StartAsync(default);
        await Eventually.HoldsAsync(() => File.Exists(SocketPath), "the socket");
    }

    [TearDown]
    public async Task TearDown()
    {
        await socket.StopAsync(default);
        socket.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    private string SocketPath => Path.Combine(directory, "control.sock");

    [Test]
    public void Only_its_own_user_may_open_it() =>
        Assert.That(File.GetUnixFileMode(SocketPath), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));

    [Test]
    public async Task Sends_logs_within_the_window()
    {
        await using var client = Connect();
        var frames = new SocketFrames(client);
        await frames.WriteAsync(Open(100, new LogsRequest { Workload = "web", Tail = 50 }), default);
        var first = (await frames.ReadAsync(Eventually.Token()))!;
        Assert.That(first.Data.Length, Is.EqualTo(100), "no more than allowed");

        using var received = new MemoryStream();
        received.Write(first.Data.Span);
        await frames.WriteAsync(new TunnelFrame { Channel = 7, Window = 1 << 20 }, default);
        while ((await frames.ReadAsync(Eventually.Token()))! is { KindCase: TunnelFrame.KindOneofCase.Data } frame)
        {
            received.Write(frame.Data.Span);
        }

        received.Position = 0;
        for (var i = 0; i < 50; i++)
        {
            Assert.That(LogLine.Parser.ParseDelimitedFrom(received).Text.ToStringUtf8(), Is.EqualTo($"line {i}"));
        }

        Assert.That(received.Position, Is.EqualTo(received.Length));
    }

    [Test]
    public async Task Passes_on_why_a_verb_could_not_be_done()
    {
        await using var client = Connect();
        var frames = new SocketFrames(client);
        await frames.WriteAsync(new TunnelFrame { Channel = 1, Open = new OpenChannel { Enroll = new EnrollCommand() } }, default);
        var close = (await frames.ReadAsync(Eventually.Token()))!.Close;
        Assert.That((close.Reason, close.Message), Is.EqualTo((CloseReason.Invalid, "no")));

        await frames.WriteAsync(new TunnelFrame { Channel = 2, Open = new OpenChannel { Status = new StatusQuery() } }, default);
        Assert.That((await frames.ReadAsync(Eventually.Token()))!.Close.Reason, Is.EqualTo(CloseReason.Unsupported));
    }

    [Test]
    public async Task Ends_a_channel_that_follows_when_told_to()
    {
        await using var client = Connect();
        var frames = new SocketFrames(client);
        await frames.WriteAsync(Open(1 << 20, new LogsRequest { Workload = "web", Tail = 1, Follow = true }), default);
        Assert.That((await frames.ReadAsync(Eventually.Token()))!.KindCase, Is.EqualTo(TunnelFrame.KindOneofCase.Data));
        await frames.WriteAsync(new TunnelFrame { Channel = 7, Close = new CloseChannel() }, default);
        Assert.That((await frames.ReadAsync(Eventually.Token()))!.Close.Reason, Is.EqualTo(CloseReason.Done));
    }

    [Test]
    public async Task Drops_a_client_that_sends_noise_and_serves_the_next()
    {
        await using (var noisy = Connect())
        {
            await noisy.WriteAsync(Enumerable.Repeat((byte)0xFF, 100).ToArray());
            Assert.That(await EndsAsync(noisy), Is.True);
        }

        await Passes_on_why_a_verb_could_not_be_done();
    }

    [Test]
    public async Task A_client_that_goes_away_while_it_is_sent_to_leaves_nothing_behind()
    {
        await using (var client = Connect())
        {
            await new SocketFrames(client).WriteAsync(Open(uint.MaxValue, new LogsRequest { Workload = "web", Tail = 1_000_000 }), default);
        }

        await Passes_on_why_a_verb_could_not_be_done();
    }

    private static TunnelFrame Open(uint window, LogsRequest logs) => new() { Channel = 7, Open = new OpenChannel { Window = window, Logs = logs } };

    private static async IAsyncEnumerable<LogLine> ReadLogs(LogsRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        for (var i = 0; i < request.Tail; i++)
        {
            ct.ThrowIfCancellationRequested();
            yield return new LogLine { Text = ByteString.CopyFromUtf8($"line {i}") };
        }

        if (request.Follow)
        {
            await Task.Delay(Timeout.Infinite, ct);
        }
    }

    // Bytes that the agent left unread make the kernel reset the connection rather than end it.
    private static async Task<bool> EndsAsync(NetworkStream stream)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], Eventually.Token()) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private NetworkStream Connect()
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(SocketPath));
        return new NetworkStream(client, ownsSocket: true);
    }
}
