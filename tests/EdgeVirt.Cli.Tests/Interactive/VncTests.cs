using System.Net;
using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

public sealed class VncTests
{
    private const string Path = "/api/v1/virtualmachines/router/vnc";

    [Test]
    public async Task Carries_one_viewer_after_the_other_and_ends_when_somebody_takes_the_display_over()
    {
        await using var hub = await FakeHub.StartAsync();
        var requests = new List<VncRequest>();
        FakeChannel.Serve(hub, Path, async channel =>
        {
            requests.Add(channel.Opened.Vnc);
            if (channel.Opened.Vnc.Probe)
            {
                await channel.CloseAsync();
                return;
            }

            await channel.AllowAsync(100);
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8("RFB 003.008\n") });
            await foreach (var message in channel.ReadAllAsync())
            {
                Assert.That(message.Data.ToStringUtf8(), Is.EqualTo("RFB 003.008\n"));
                break;
            }

            await (requests.Count == 2 ? channel.CloseAsync() : channel.CloseAsync(CloseReason.Conflict, "The display of 'router' was taken over by 'bob'."));
        });
        using var cli = new CliRun(hub);
        var port = FreePort();
        var running = cli.RunAsync("vnc", "router", "--port", $"{port}", "--force");
        for (var i = 0; i < 2; i++)
        {
            await GreetAsync(port);
        }

        var outcome = await running.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Conflict, $"vnc://127.0.0.1:{port}\n")));
        Assert.That(outcome.Error, Does.Contain("The display of router is there until Ctrl-C").IgnoreCase.And.Contain("was taken over by 'bob'"));
        var wanted = new VncRequest { Machine = "router", Force = true };
        Assert.That(requests, Is.EqualTo((VncRequest[])[new VncRequest(wanted) { Probe = true }, wanted, wanted]));
    }

    [TestCase(CloseReason.Invalid, ExitCodes.Invalid, "no display")]
    [TestCase(CloseReason.Conflict, ExitCodes.Conflict, "in use by 'alice'")]
    [TestCase(CloseReason.NotFound, ExitCodes.NotFound, "is not running")]
    public async Task Says_at_once_what_a_viewer_could_not(CloseReason reason, int code, string words)
    {
        await using var hub = await FakeHub.StartAsync();
        FakeChannel.Serve(hub, Path, channel => channel.CloseAsync(reason, words));
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("vnc", "router");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((code, "")));
        Assert.That(outcome.Error, Does.Contain(words));
    }

    [Test]
    public async Task A_port_that_is_taken_here_is_told_before_anything_is_asked()
    {
        await using var hub = await FakeHub.StartAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("vnc", "router", "--port", $"{((IPEndPoint)taken.LocalEndpoint).Port}");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Conflict));
        Assert.That(outcome.Error, Does.Contain("in use").And.Contain("without --port"));
        Assert.That(hub.Lines, Is.Empty);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task GreetAsync(int port)
    {
        for (var tries = 0; ; tries++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port);
            }
            catch (SocketException) when (tries < 100)
            {
                await Task.Delay(20);
                continue;
            }

            var greeting = new byte[12];
            await using var stream = new NetworkStream(socket);
            await stream.ReadExactlyAsync(greeting);
            Assert.That(Encoding.ASCII.GetString(greeting), Is.EqualTo("RFB 003.008\n"));
            await stream.WriteAsync(greeting);
            try
            {
                Assert.That(await stream.ReadAsync(greeting), Is.Zero);
            }
            catch (IOException)
            {
                // Taken over.
            }

            return;
        }
    }
}
