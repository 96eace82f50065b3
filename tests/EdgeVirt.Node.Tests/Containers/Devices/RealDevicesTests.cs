using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Tests.Containers.Devices;

/// <summary>Devices of containers that really run.</summary>
[Category("root")]
internal sealed class RealDevicesTests : RealContainersFixture
{
    [Test]
    public async Task A_workload_waits_for_its_device_and_starts_when_it_is_there()
    {
        // Beside the node's own devices, so that nothing of the machine is touched: a link that appears later.
        var link = directory.Combine("modem");
        var workload = Workload("web", "busybox stat -c '%t:%T' /dev/modem; exec busybox sleep 1000");
        var spec = workload.Template.Containers[0] with { Devices = [new DeviceSpec { Path = link, ContainerPath = "/dev/modem", Permissions = "r" }] };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [spec] } });
        var status = await agent.UntilAsync("web", status => status.Conditions[0].Reason == ReadyReasons.DeviceMissing);
        Assert.That(status.Conditions[0].Message, Does.Contain(link));
        Assert.That(status.Containers[0].State, Is.EqualTo(ContainerState.Waiting));

        File.CreateSymbolicLink(link, "/dev/kmsg");
        await agent.UntilAsync("web", IsReady);
        Assert.That((await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 1)).Select(line => line.Text), Is.EqualTo(["1:b"]));
    }
}
