using System.Net.Sockets;
using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Tests.Containers.Sets;

/// <summary>Real containers, a real port, and a client that asks all the time.</summary>
[Category("root")]
internal sealed class RealHandOverTests : RealContainersFixture
{
    private const int Port = 18090;

    [Test]
    public async Task A_client_never_notices_that_one_version_takes_over_from_the_other()
    {
        await DesireAsync(Version(1));
        await UntilAsync(1);
        var answers = new List<string>();
        using var done = new CancellationTokenSource();
        var client = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                answers.Add(await AskAsync());
            }
        });
        for (var generation = 2; generation <= 4; generation++)
        {
            await DesireAsync(Version(generation));
            await UntilAsync(generation);
        }

        await done.CancelAsync();
        await client;
        Assert.That(answers, Has.All.Match("^version [1-4]$"), "none refused, none cut");
        Assert.That(answers.Distinct(), Is.EqualTo(["version 1", "version 2", "version 3", "version 4"]));
        Assert.That(answers, Has.Count.GreaterThan(100));
    }

    [Test]
    public async Task A_version_that_is_never_ready_gives_way_and_the_port_stays_where_it_was()
    {
        await DesireAsync(Version(1));
        await UntilAsync(1);
        await agent.UntilAsync("web", status => status.Conditions.All(condition => condition.Type != ConditionTypes.Progressing));
        await Task.Delay(TimeSpan.FromSeconds(1.2));
        await agent.ReconcileAsync();
        Assert.That(await agent.Store.ReadSetsAsync(default), Is.Not.Empty, "the first one proved itself");
        await DesireAsync(Version(2, "exec busybox sleep 1000"));
        await agent.UntilAsync("web", status => status.Conditions.Any(condition => condition is { Type: ConditionTypes.Progressing, Reason: ProgressingReasons.RolledBack }));
        Assert.That(await AskAsync(), Is.EqualTo("version 1"));
        await agent.UntilAsync("web", _ => agent.Records.Sandboxes.Count == 1);
        Assert.That(await AskAsync(), Is.EqualTo("version 1"));
    }

    private static DesiredWorkload Version(int generation, string? script = null)
    {
        var plain = Workload("web", script ?? $"busybox mkdir /www; echo version {generation} > /www/index.html; exec busybox httpd -f -p 80 -h /www", Port);
        var ready = new Probe { TcpSocket = new TcpSocketAction { Port = 80 }, PeriodSeconds = 1 };
        return plain with
        {
            Generation = generation,
            Template = plain.Template with
            {
                // Time for what is being answered.
                TerminationGracePeriodSeconds = 1,
                Containers = [plain.Template.Containers[0] with { ReadinessProbe = ready }],
            },
            Strategy = new UpdateStrategy { Type = UpdateStrategyType.HandOver, MinReadySeconds = 1, ProgressDeadlineSeconds = 4 },
        };
    }

    private Task<WorkloadInstanceStatus> UntilAsync(long generation) => agent.UntilAsync("web", status => status.ObservedGeneration == generation && IsReady(status));

    private async Task<string> AskAsync()
    {
        using var socket = NetworkNamespaces.Run(Host, () =>
        {
            var made = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            made.Connect("127.0.0.1", Port);
            return made;
        });
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync("GET / HTTP/1.0\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return (await reader.ReadToEndAsync()).Split("\r\n\r\n")[1].Trim();
    }
}
