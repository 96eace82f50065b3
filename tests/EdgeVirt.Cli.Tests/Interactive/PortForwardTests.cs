using System.Net;
using System.Net.Sockets;
using System.Text;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

public sealed class PortForwardTests
{
    private const string Path = "/api/v1/workloads/web/portforward";

    [TestCase("8080:80", 8080, 80)]
    [TestCase("80", 80, 80)]
    [TestCase(":80", 0, 80)]
    [TestCase("0:65535", 0, 65535)]
    public void Reads_ports(string text, int local, int remote) =>
        Assert.That(PortMapping.Parse(text), Is.EqualTo(new PortMapping((ushort)local, (ushort)remote)));

    [TestCase("")]
    [TestCase("0")]
    [TestCase("80:")]
    [TestCase("x:80")]
    [TestCase("-1:80")]
    [TestCase("1:2:3")]
    [TestCase("65536")]
    public void Refuses_what_names_no_ports(string text) =>
        Assert.That(() => PortMapping.Parse(text), Throws.TypeOf<CliException>().With.Property("ExitCode").EqualTo(ExitCodes.Usage));

    [Test]
    public async Task Carries_several_connections_with_half_close_and_goes_on_after_one_that_failed()
    {
        await using var hub = await FakeHub.StartAsync();
        var asked = 0;
        FakeChannel.Serve(hub, Path, async channel =>
        {
            Assert.That((channel.Opened.PortForward.Workload, channel.Opened.PortForward.Port), Is.EqualTo(("web", 80u)));
            if (channel.Opened.PortForward.Probe)
            {
                await channel.CloseAsync();
                return;
            }

            if (Interlocked.Increment(ref asked) == 1)
            {
                await channel.CloseAsync(CloseReason.Failed, "connection refused there");
                return;
            }

            await channel.AllowAsync(10_000);
            var text = "";
            await foreach (var message in channel.ReadAllAsync())
            {
                if (message.KindCase == StreamMessage.KindOneofCase.End)
                {
                    break;
                }

                text += message.Data.ToStringUtf8();
            }

            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8($"you said {text}") });
            await channel.SendAsync(new StreamMessage { End = true });
            await channel.CloseAsync();
        });
        using var cli = new CliRun(hub);
        using var interrupted = new CancellationTokenSource();
        var port = FreePort();
        var running = cli.RunAsync(interrupted.Token, "port-forward", "web", $"{port}:80");

        Assert.That(await AskAsync(port, "first"), Is.EqualTo("broken"), "not an end in good order");
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => AskAsync(port, $"{i}")));
        await interrupted.CancelAsync();
        var outcome = await running;
        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 5).Select(i => $"you said {i}")), outcome.Error);
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Interrupted));
        Assert.That(outcome.Out, Is.EqualTo($"Forwarding 127.0.0.1:{port} to web:80\n"));
        Assert.That(outcome.Error, Does.Contain("a connection to web:80: connection refused there"));
    }

    [Test]
    public async Task Says_at_once_that_there_is_nobody_to_forward_to()
    {
        await using var hub = await FakeHub.StartAsync();
        FakeChannel.Serve(hub, Path, channel => channel.CloseAsync(CloseReason.NotFound, "Workload/web does not exist."));
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("port-forward", "web", ":80");
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.NotFound, "")));
        Assert.That(outcome.Error, Does.Contain("does not exist"));
    }

    [Test]
    public async Task A_port_that_is_taken_here_is_told_before_anything_is_asked()
    {
        await using var hub = await FakeHub.StartAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        using var cli = new CliRun(hub);
        var outcome = await cli.RunAsync("port-forward", "web", $"{((IPEndPoint)taken.LocalEndpoint).Port}:80");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Conflict));
        Assert.That(outcome.Error, Does.Contain("in use").And.Contain(":80"));
        Assert.That(hub.Lines, Is.Empty);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<string> AskAsync(int port, string text)
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

            try
            {
                using var reader = new StreamReader(new NetworkStream(socket));
                await socket.SendAsync(Encoding.UTF8.GetBytes(text));
                socket.Shutdown(SocketShutdown.Send);
                return await reader.ReadToEndAsync();
            }
            catch (Exception broken) when (broken is IOException or SocketException)
            {
                TestContext.Out.WriteLine(broken);
                return "broken";
            }
        }
    }
}
