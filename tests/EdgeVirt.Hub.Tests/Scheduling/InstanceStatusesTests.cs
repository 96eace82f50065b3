using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Tests.Scheduling;

internal sealed class InstanceStatusesTests
{
    [Test]
    public async Task Reports_from_before_there_were_other_kinds_are_those_of_workloads()
    {
        using var directory = new DataDirectory();
        using (var database = directory.OpenDatabase())
        {
            database.Migrate("instance-statuses",
            [
                "CREATE TABLE instance_statuses (node TEXT NOT NULL, workload TEXT NOT NULL, uid TEXT NOT NULL, status TEXT NOT NULL, PRIMARY KEY (node, workload)) WITHOUT ROWID",
            ]);
            await database.WriteAsync(
                (connection, _) => connection.Execute("""INSERT INTO instance_statuses VALUES ('a', 'web', 'u', '{"node":"a","observedGeneration":3,"containers":[],"conditions":[]}')"""),
                CancellationToken.None);
        }

        using var now = directory.OpenDatabase();
        var report = new InstanceStatuses(now).Of(new PlacedKey(ResourceKind.Workload.Name, "web"))["a"];
        Assert.That((report.Uid, report.Status!.ObservedGeneration), Is.EqualTo(("u", 3L)));
    }
}
