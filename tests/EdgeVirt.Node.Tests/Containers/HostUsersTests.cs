using System.Text.Json;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Which ids of the node workloads with user namespaces of their own have.</summary>
internal sealed class HostUsersTests
{
    private static readonly SandboxRecord Sandbox = new() { Id = "web-uid1", Workload = "web", Uid = "uid1", Hash = "" };

    [Test]
    public void Ranges_do_not_overlap_and_a_freed_one_is_given_again()
    {
        var ranges = new HostIdRanges(1 << 20);
        Assert.That(new[] { ranges.Take(null), ranges.Take(null), ranges.Take(null) }, Is.EqualTo([1u << 20, (1u << 20) + 65536, (1u << 20) + 131072]));
        ranges.Free((1 << 20) + 65536);
        Assert.That(ranges.Take(null), Is.EqualTo((1u << 20) + 65536));
    }

    [Test]
    public void A_range_of_before_is_kept_also_when_the_option_has_changed()
    {
        var ranges = new HostIdRanges(1 << 20);
        Assert.That(ranges.Take(1 << 20), Is.EqualTo(1u << 20));
        Assert.That(ranges.Take(7 << 16), Is.EqualTo(7u << 16));
        Assert.That(ranges.Take(null), Is.EqualTo((1u << 20) + 65536));
    }

    [Test]
    public void When_all_are_taken_it_says_so()
    {
        var ranges = new HostIdRanges(1 << 16);
        for (var i = 0; i < HostIdRanges.Count; i++)
        {
            ranges.Take(null);
        }

        Assert.That(() => ranges.Take(null), Throws.InstanceOf<StartFailedException>().With.Message.Contains("hostUsers"));
    }

    [Test]
    public void The_runtime_is_told_the_range_and_nothing_without_one()
    {
        var user = new ContainerUser(33, 33, [100], "/");
        Assert.That(OwnIds.Of(Sandbox, user), Is.Null);
        var mapping = OwnIds.Of(Sandbox with { FirstHostId = 1 << 20 }, user)!.Single();
        Assert.That(JsonSerializer.Serialize(mapping, RuntimeSpecJson.Default.SpecIdMapping), Is.EqualTo("""{"containerID":0,"hostID":1048576,"size":65536}"""));
    }

    [TestCase(65536u, 0u, 0u)]
    [TestCase(0u, 70000u, 0u)]
    [TestCase(0u, 0u, 65536u)]
    public void Who_is_not_in_the_namespace_cannot_run_in_it(uint user, uint group, uint other) => Assert.That(
        () => OwnIds.Of(Sandbox with { FirstHostId = 1 << 20 }, new ContainerUser(user, group, [other], "/")),
        Throws.InstanceOf<StartFailedException>().With.Message.Contains("runAsUser"));
}
