using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks;
using EdgeVirt.Node.Networks.Names;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Containers that look for each other by name.</summary>
[Category("root")]
internal sealed class RealNamesTests : RealContainersFixture
{
    [Test]
    public async Task A_container_finds_its_neighbour_by_name()
    {
        File.SetUnixFileMode(directory.Path, File.GetUnixFileMode(directory.Path) | UnixFileMode.OtherExecute);
        using var network = new NodeNetwork(options, Host);
        var server = new NameServer(options, network, new Cgroups(), new NameServerGroup(directories.CgroupParent), TimeProvider.System);
        var reconciler = new NamesReconciler(agent.Store, network, server, new NodeConditions(TimeProvider.System), TimeProvider.System);
        try
        {
            await DesireAsync(
                Workload("db", "exec busybox nc -ll -p 80 -e /bin/busybox echo answer"),
                Workload("app", "cat /etc/resolv.conf | grep -c nameserver; for i in 1 2 3 4 5 6 7 8 9 10; do busybox nc db 80 2>/dev/null && busybox nc db.edgevirt.internal 80 2>/dev/null && break; busybox usleep 100000; done; exec busybox sleep 1000"));
            await agent.UntilAsync("db", IsReady);
            await agent.UntilAsync("app", IsReady);
            await reconciler.ReconcileAsync(default);
            // Until the server is up and knows both, the program inside asks again.
            var lines = await LinesAsync(new LogsRequest { Workload = "app", Tail = -1 }, 3);
            for (var more = 0; lines.Count < 3 && more < 10; more++)
            {
                lines = await LinesAsync(new LogsRequest { Workload = "app", Tail = -1 }, 3);
            }

            Assert.That(lines.Where(line => !line.Error).Select(line => line.Text), Is.EqualTo(["1", "answer", "answer"]));
        }
        finally
        {
            await server.RemoveAsync(default);
        }
    }
}
