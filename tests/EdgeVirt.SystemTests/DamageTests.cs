using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>Files of a node are damaged while its power is off and no hub is there: its workloads start all the same, and the hub hears of it.</summary>
[Category("root")]
public sealed class DamageTests
{
    [TestCase("state/node.db", "flip")]
    [TestCase("state/node.db", "truncate")]
    [TestCase("state/node.db", "remove")]
    [TestCase("state/desired/revision-*", "flip")]
    [TestCase("outbox/*.seg", "flip")]
    [TestCase("outbox/*.seg", "truncate")]
    public async Task The_node_starts_from_cold_and_reports(string pattern, string damage)
    {
        await using var fleet = await Fleet.StartAsync();
        await fleet.RunWebAsync();
        await Fleet.FetchAsync(fleet.Node);
        await fleet.Hub.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(2));
        await fleet.Node.CutPowerAsync();
        Damage(Newest(fleet.Node, pattern), damage);

        await fleet.Node.StartAsync();
        await Fleet.FetchAsync(fleet.Node);

        await fleet.Hub.StartAsync();
        await fleet.WaitForNodeAsync("node-1");
        await fleet.Hub.Api.WaitForWorkloadAsync("web", 1, TimeSpan.FromSeconds(60));
        if (damage == "flip")
        {
            Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(fleet.Node.DataDirectory, "quarantine")), Is.Not.Empty);
            await HubApi.WaitForAsync(
                "the node to report the damage",
                () => fleet.NodeStatusAsync("node-1"),
                status => status.Is(ConditionTypes.StorageHealthy, ConditionStatus.False, StorageReasons.Quarantined),
                status => string.Join("; ", status.Conditions),
                TimeSpan.FromSeconds(30));
        }
    }

    private static string Newest(RealNode node, string pattern)
    {
        var path = Path.Combine(node.DataDirectory, pattern);
        return new DirectoryInfo(Path.GetDirectoryName(path)!).EnumerateFiles(Path.GetFileName(path)).OrderBy(file => file.LastWriteTimeUtc).ThenBy(file => file.Name).Last().FullName;
    }

    private static void Damage(string file, string how)
    {
        if (how == "remove")
        {
            File.Delete(file);
            return;
        }

        var bytes = File.ReadAllBytes(file);
        if (how == "truncate")
        {
            File.WriteAllBytes(file, bytes[..(bytes.Length / 2)]);
            return;
        }

        // Every hundredth byte, so that whatever the file holds, some of it is hit.
        for (var i = 70; i < bytes.Length; i += 100)
        {
            bytes[i] ^= 0x40;
        }

        File.WriteAllBytes(file, bytes);
    }
}
