using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>Boards that may not enroll, and nodes that may not stay.</summary>
[Category("root")]
public sealed class TrustTests
{
    [Test]
    public async Task A_wrong_token_is_refused_on_the_audit_log_and_the_agent_stays_up()
    {
        await using var fleet = await Fleet.StartAsync(nodes: 1);
        using var network = new TestNetwork(1);
        await using var late = new RealNode(network.Namespaces[0], "late");
        var token = await fleet.Hub.Api.CreateClaimAsync("single");
        late.Configure(fleet.Hub, Spoiled(token));
        await late.StartAsync();

        var refused = await HubApi.WaitForAsync(
            "the refusal on the audit log",
            fleet.Hub.Api.AuditAsync,
            entries => entries.Any(entry => entry is { Action: "enroll", Outcome: "refused" }),
            entries => string.Join("; ", entries),
            TimeSpan.FromSeconds(30));
        await Task.Delay(TimeSpan.FromSeconds(3));

        Assert.That(refused.First(entry => entry.Outcome == "refused").Reason, Is.Not.Empty);
        Assert.That(File.ReadAllText($"/proc/{late.ProcessId}/comm").Trim(), Is.EqualTo("edgevirt-agent"), "the agent still runs");
        Assert.That(await fleet.Hub.Api.GetAsync(ResourceKind.Node, "late"), Is.Null);
    }

    [Test]
    public async Task A_deleted_node_is_cut_off_but_its_workloads_run_on()
    {
        await using var fleet = await Fleet.StartAsync();
        await fleet.RunWebAsync();
        var before = Census.Of(fleet.Node);

        await fleet.Hub.Api.DeleteAsync(ResourceKind.Node, "node-1");

        await HubApi.WaitForAsync(
            "the refusal on the audit log",
            fleet.Hub.Api.AuditAsync,
            entries => entries.Any(entry => entry.Outcome == "refused" && entry.Reason.Contains("revoked", StringComparison.OrdinalIgnoreCase)),
            entries => string.Join("; ", entries),
            TimeSpan.FromSeconds(60));
        Assert.That(await fleet.Hub.Api.GetAsync(ResourceKind.Node, "node-1"), Is.Null, "it does not come back by itself");
        Assert.That(await Fleet.FetchOnceAsync(fleet.Node), Is.EqualTo(System.Net.HttpStatusCode.OK));
        Assert.That(Census.Of(fleet.Node).Containers, Is.EqualTo(before.Containers));
    }

    /// <summary>The same claim and pin with another secret.</summary>
    private static string Spoiled(string token)
    {
        var parts = token.Split('.');
        parts[2] = (parts[2][0] == 'A' ? 'B' : 'A') + parts[2][1..];
        return string.Join('.', parts);
    }
}
