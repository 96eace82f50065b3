using System.Net.Sockets;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Telemetry;
using EdgeVirt.Node.Tests.Hub;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace EdgeVirt.Node.Tests.Telemetry;

public sealed class UsageVerbTests
{
    [Test]
    public async Task Tells_what_is_used_between_two_readings()
    {
        using var directory = new TempDirectory();
        var options = new NodeOptions { DataDir = directory.Path, RunDir = directory.Path };
        var server = new ChannelServer([new UsageVerb(options, [new Counting()], TimeProvider.System).Verb], TimeProvider.System, NullLogger<ChannelServer>.Instance);
        using var socket = new ControlSocket(options, server, NullLogger<ControlSocket>.Instance);
        await socket.StartAsync(default);
        await Eventually.HoldsAsync(() => File.Exists(directory.Combine("control.sock")), "the socket");

        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(directory.Combine("control.sock")));
        var frames = new SocketFrames(new NetworkStream(client));
        await frames.WriteAsync(new TunnelFrame { Channel = 1, Open = new OpenChannel { Window = 1 << 20, Usage = new UsageQuery() } }, default);
        using var answer = new MemoryStream();
        while (await frames.ReadAsync(Eventually.Token()) is { KindCase: TunnelFrame.KindOneofCase.Data } frame)
        {
            answer.Write(frame.Data.Span);
        }

        await socket.StopAsync(default);
        answer.Position = 0;
        TelemetryRecord first = TelemetryRecord.Parser.ParseDelimitedFrom(answer), second = TelemetryRecord.Parser.ParseDelimitedFrom(answer);
        Assert.That(answer.Position, Is.EqualTo(answer.Length));
        Assert.That(second.TimeUnixMs - first.TimeUnixMs, Is.GreaterThanOrEqualTo(900));
        Assert.That((Used(first), Used(second)), Is.EqualTo((1.0, 2.0)));
        Assert.That(second.Samples.Select(sample => sample.Metric), Does.Contain("system.memory.limit"));
    }

    private static double Used(TelemetryRecord record) => record.Samples.Single(sample => sample.Metric == "container.cpu.time").Value;

    private sealed class Counting : IUsageSource
    {
        private int asked;

        public IReadOnlyList<ContainerUsage> Read() => [new ContainerUsage("web", "main", ++asked, 4096)];
    }
}
