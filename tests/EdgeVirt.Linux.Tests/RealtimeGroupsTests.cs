namespace EdgeVirt.Linux.Tests;

[Category("root")]
internal sealed class RealtimeGroupsTests
{
    [Test]
    public void A_group_gets_a_share_to_give_where_the_kernel_has_them()
    {
        var cgroups = new Cgroups();
        var (parent, child) = ($"/edgevirt-test-{Environment.ProcessId}", $"/edgevirt-test-{Environment.ProcessId}/a");
        try
        {
            var isThere = cgroups.Layout == CgroupLayout.Legacy && cgroups.HasFile("cpu", "cpu.rt_runtime_us");
            Assert.That(cgroups.ShareRealtime(parent, 20_000), Is.EqualTo(isThere));
            Assert.That(cgroups.ShareRealtime(child, 10_000), Is.EqualTo(isThere));
            Assert.That(cgroups.ShareRealtime(child, 30_000), Is.False, "more than its parent has");
        }
        finally
        {
            cgroups.Remove(child);
            cgroups.Remove(parent);
        }
    }
}
