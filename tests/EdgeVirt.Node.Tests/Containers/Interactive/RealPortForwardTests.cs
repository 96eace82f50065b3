using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Tests.Hub;

namespace EdgeVirt.Node.Tests.Containers.Interactive;

/// <summary>Connections into a container that really runs.</summary>
[Category("root")]
internal sealed class RealPortForwardTests
{
    private RealWorkload workload = null!;

    [OneTimeSetUp]
    public async Task SetUp() => workload = await RealWorkload.StartAsync(
        "busybox nc -ll -p 8080 -e /bin/cat & busybox httpd -p 127.0.0.1:8081 -h / & busybox nc -ll -p 8082 -e /bin/wc -c & exec busybox sleep 1000");

    [OneTimeTearDown]
    public async Task TearDown() => await workload.DisposeAsync();

    [Test]
    public async Task Reaches_what_listens_on_the_workloads_own_loopback()
    {
        await ListeningAsync(8081);
        await using var channel = await ConnectAsync(8081);
        await channel.SendAsync("GET /etc/passwd HTTP/1.0\r\n\r\n");
        await channel.UntilAsync(one => one.Messages.Any(message => message.End));
        await channel.SendAsync(new StreamMessage { End = true });
        await channel.EndAsync();
        Assert.That(channel.Out, Does.StartWith("HTTP/1.").And.Contain("nobody:x:65534"));
    }

    [Test]
    public async Task Carries_both_directions_and_several_connections_at_once()
    {
        const int port = 8080;
        await ListeningAsync(port);
        var channels = new List<TestChannel>();
        for (var i = 0; i < 5; i++)
        {
            channels.Add(await ConnectAsync(port));
            await channels[i].SendAsync($"hello {i}\n");
        }

        for (var i = 4; i >= 0; i--)
        {
            await channels[i].UntilAsync(channel => channel.Out == $"hello {i}\n");
            await channels[i].SendAsync(new StreamMessage { End = true });
            await channels[i].EndAsync();
            Assert.That(channels[i].Closed!.Reason, Is.EqualTo(CloseReason.Done));
            Assert.That(channels[i].Messages[^1].KindCase, Is.EqualTo(StreamMessage.KindOneofCase.End));
            await channels[i].DisposeAsync();
        }
    }

    [Test]
    public async Task An_answer_still_comes_after_the_caller_has_said_all()
    {
        await ListeningAsync(8082);
        await using var channel = await ConnectAsync(8082);
        await channel.SendAsync("twelve bytes");
        await channel.SendAsync(new StreamMessage { End = true });
        await channel.EndAsync();
        Assert.That(channel.Out, Is.EqualTo("12\n"));
    }

    [Test]
    public async Task A_caller_who_goes_away_ends_the_connection()
    {
        await ListeningAsync(8080);
        await using (var channel = await ConnectAsync(8080))
        {
            await channel.SendAsync("x\n");
            await channel.UntilAsync(one => one.Out == "x\n");
            Assert.That(Cats(), Is.Not.Empty);
        }

        await Eventually.HoldsAsync(() => !Cats().Any(), "the program behind the port has ended");
    }

    [Test]
    public async Task A_port_where_nobody_listens_is_told_as_such()
    {
        await using var channel = await ConnectAsync(9);
        await channel.EndAsync();
        Assert.That(channel.Closed!.Reason, Is.EqualTo(CloseReason.Failed));
        Assert.That(channel.Closed.Message, Does.Contain("Port 9 of workload 'web'").And.Contain("refused"));
    }

    [TestCase("web", 8080u, true, CloseReason.Done)]
    [TestCase("nothing", 8080u, true, CloseReason.NotFound)]
    [TestCase("web", 70000u, false, CloseReason.Invalid)]
    [TestCase("web", 0u, false, CloseReason.Invalid)]
    public async Task Says_beforehand_whether_there_is_somebody_to_forward_to(string name, uint port, bool probe, CloseReason reason)
    {
        await using var channel = await workload.OpenAsync(
            new OpenChannel { PortForward = new PortForwardRequest { Workload = name, Port = port, Probe = probe } });
        await channel.EndAsync();
        Assert.That(channel.Closed!.Reason, Is.EqualTo(reason), channel.Closed.Message);
    }

    // The listeners name it too.
    private IEnumerable<int> Cats() => workload.Find("/bin/cat").Except(workload.Find("-e"));

    private Task<TestChannel> ConnectAsync(int port) =>
        workload.OpenAsync(new OpenChannel { PortForward = new PortForwardRequest { Workload = "web", Port = (uint)port } });

    private async Task ListeningAsync(int port)
    {
        for (var tries = 0; tries < 100; tries++)
        {
            await using var channel = await ConnectAsync(port);
            var sent = channel.SendAsync(new StreamMessage { End = true });
            await Task.WhenAny(sent, channel.EndAsync());
            if (sent.IsCompletedSuccessfully)
            {
                return;
            }

            await Task.Delay(50);
        }

        Assert.Fail($"nobody listens on {port}");
    }
}
