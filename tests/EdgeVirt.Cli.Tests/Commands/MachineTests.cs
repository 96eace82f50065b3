using System.Text;

namespace EdgeVirt.Cli.Tests.Commands;

/// <summary>Virtual machines on the command line.</summary>
public sealed class MachineTests
{
    private const string Machine = """
        {"apiVersion":"edgevirt.io/v1","kind":"VirtualMachine","metadata":{"name":"guest","generation":2,"resourceVersion":7,"creationTimestamp":"2026-11-22T17:56:40Z"},
         "spec":{"placement":{"nodeSelector":{"site":"oslo"}},"memory":{"size":"512Mi"},"cpu":{"cores":2,"limit":"1500m"},"acceleration":"Preferred",
           "disks":[{"name":"root","image":{"reference":"registry:5000/debian:13"},"size":"10Gi"},{"name":"tools","url":{"location":"https://m.local/t.img?token=hunter2-token","sha256":"ABCD"},"readOnly":true},{"name":"data","empty":{},"size":"1Gi"}],
           "snapshots":{"intervalSeconds":86400,"keep":7},"interfaces":[{"name":"lan","ports":[{"containerPort":22,"hostPort":2222}]}],
           "cloudInit":{"userData":"#cloud-config\npassword: hunter2-data\n","networkConfig":"version: 2 # hunter2-wifi","sshAuthorizedKeys":["ssh-ed25519 AAAA"]},
           "ignition":{"config":"hunter2-data"},"firmwareConfig":[{"name":"opt/org.example/a","value":"hunter2-data"}],"smbios":{"oemStrings":[{"value":"hunter2-data"}]},
           "tpm":{},"watchdog":{"action":"Pause"},"devices":[{"name":"stick","usb":{"vendor":"0403","product":"6001","port":"1-1.2"}},{"name":"card","pci":{"address":"0000:03:00.0","managed":true}}]},
         "status":{"desiredInstances":2,"readyInstances":1,
           "instances":[{"node":"node-1","observedGeneration":2,"address":"10.88.0.9","interfaces":[{"name":"lan","macAddress":"52:54:00:0a:0b:0c","addresses":["10.88.0.9","fd00::9"]}],"state":"Running","restartCount":3,"resetCount":2,"lastReset":{"reason":"WatchdogExpired"},"startedAt":"2026-11-22T17:57:00Z",
             "lastExit":{"code":137,"signal":"SIGKILL","reason":"Error","finishedAt":"2026-11-22T17:56:59Z"},"conditions":[{"type":"Ready","status":"True","reason":"Ready"}]},
             {"node":"node-2","observedGeneration":2,"state":"Waiting","conditions":[]}],
           "conditions":[{"type":"Ready","status":"False","reason":"ImagePulling","message":"node-2 pulls"},{"type":"Accelerated","status":"False","reason":"KvmUnproven"}]}}
        """;

    private const string Manifest = "apiVersion: edgevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: guest}\nspec: {memory: {size: 512Mi}}\n";

    private FakeHub hub = null!;
    private CliRun cli = null!;

    [SetUp]
    public async Task Start()
    {
        hub = await FakeHub.StartAsync();
        cli = new CliRun(hub);
        hub.Answer("GET /api/v1/virtualmachines/guest", Machine);
    }

    [TearDown]
    public async Task Stop()
    {
        cli.Dispose();
        await hub.DisposeAsync();
    }

    [TestCase("virtualmachines")]
    [TestCase("vm")]
    [TestCase("vms")]
    public async Task Shows_machines_as_a_table(string word)
    {
        hub.Answer("GET /api/v1/virtualmachines", $$"""{"resourceVersion":9,"items":[{{Machine}},{"kind":"VirtualMachine","metadata":{"name":"new"},"spec":{"memory":{"size":"1Gi"} } }]}""");
        var outcome = await cli.RunAsync("get", word);
        Assert.That(outcome.Out, Is.EqualTo("""
            NAME    READY   NODES           STATE             ACCELERATED   AGE     REASON
            guest   1/2     node-1,node-2   Running,Waiting   no            3m20s   ImagePulling
            new     0/0     -               -                 -             -       Pending

            """), outcome.Error);
    }

    [Test]
    public async Task Describes_what_is_wanted_and_what_each_node_makes_of_it()
    {
        var outcome = await cli.RunAsync("describe", "vm", "guest");
        Assert.That(outcome.Error, Is.Empty);
        foreach (var line in new[]
        {
            "Placement:       every node with site=oslo", "Power:           Running", "Grace period:    60 s", "Acceleration:    Preferred", "CPUs:            2, of which 1500m in use at most",
            "Memory:          512Mi", "Boot:            by UEFI", "Cloud-init:      user-data of 37 B, network-config of 25 B, 1 SSH key", "Ready:           1 of 2 nodes",
            "registry:5000/debian:13", "https://m.local/t.img sha256:abcd", "22/TCP as 2222 on the node", "KvmUnproven", "On node node-1:", "  State:         Running", "  Address:       10.88.0.9",
            "  Restarts:      3", "lan         52:54:00:0a:0b:0c   10.88.0.9, fd00::9", "Snapshots:       every 1d, the newest 7 stay",
            "  Resets:        2, the last one WatchdogExpired", "TPM:             as its machine has it", "Watchdog:        Pause",
            "Firmware:        SMBIOS with 1 OEM strings, fw_cfg opt/org.example/a, Ignition of 12 B", "0403:6001 at port 1-1.2", "0000:03:00.0, taken from its driver", "SIGKILL (code 137)", "On node node-2:", "  State:         Waiting",
        })
        {
            Assert.That(outcome.Out, Does.Contain(line));
        }
    }

    [TestCase("describe vm guest", false)]
    [TestCase("describe vm guest -o json", false)]
    [TestCase("describe vm guest -o yaml", false)]
    [TestCase("get vm guest", false)]
    [TestCase("get vm guest -o yaml", true)]
    public async Task Never_describes_what_cloud_init_is_told(string words, bool shown)
    {
        var outcome = await cli.RunAsync(words.Split(' '));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(outcome.Out + outcome.Error, shown ? Does.Contain("hunter2-data") : Does.Not.Contain("hunter2-data").And.Not.Contain("hunter2-wifi"));
    }

    [Test]
    public async Task A_description_cannot_be_applied_by_mistake()
    {
        var described = await cli.RunAsync("describe", "vm", "guest", "-o", "yaml");
        var outcome = await cli.RunAsync("apply", "-f", cli.File("guest.yaml", described.Out));
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Invalid));
        Assert.That(outcome.Error, Does.Contain("spec.cloudInit.userData: must begin with"));
    }

    [Test]
    public async Task Waits_for_machines_and_names_what_to_look_at()
    {
        hub.Answer("POST /api/v1/apply", """{"items":[{"kind":"VirtualMachine","name":"guest","outcome":"created","generation":2}]}""");
        var outcome = await cli.RunAsync("apply", "-f", cli.File("guest.yaml", Manifest), "--wait", "--timeout", "1s");
        Assert.That(outcome.Code, Is.EqualTo(ExitCodes.Timeout));
        Assert.That(outcome.Error, Does.Contain("1/2 nodes, ImagePulling").And.Contain("edgevirt describe virtualmachine guest"));
    }

    [TestCase("Stopped", "Stopped", 0)]
    [TestCase("Paused", "Paused", 0)]
    [TestCase("Stopped", "Running", ExitCodes.Timeout)]
    public async Task A_machine_that_is_to_be_off_is_waited_for_until_it_is(string power, string state, int code)
    {
        hub.Answer("POST /api/v1/apply", """{"items":[{"kind":"VirtualMachine","name":"guest","outcome":"configured","generation":3}]}""");
        hub.Answer("GET /api/v1/virtualmachines/guest", async context => await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($$$"""
            {"kind":"VirtualMachine","metadata":{"name":"guest"},"spec":{"power":"{{{power}}}","memory":{"size":"1Gi"}},"status":{"desiredInstances":1,"readyInstances":0,
             "instances":[{"node":"n","observedGeneration":3,"state":"{{{state}}}","conditions":[{"type":"Ready","status":"False","reason":"Stopping"}]}]}}
            """)));
        var outcome = await cli.RunAsync("apply", "-f", cli.File("guest.yaml", Manifest), "--wait", "--timeout", "1s");
        Assert.That(outcome.Code, Is.EqualTo(code), outcome.Error);
        Assert.That(outcome.Out, code == 0 ? Does.Contain($"VirtualMachine/guest is {power} after") : Does.Not.Contain(" after "));
    }

    [Test]
    public async Task Deletes_by_its_short_name()
    {
        hub.Answer("DELETE /api/v1/virtualmachines/guest", Machine);
        Assert.That((await cli.RunAsync("delete", "vm", "guest")).Out, Is.EqualTo("VirtualMachine/guest deleted\n"));
    }

    [TestCase("get|virt", "virtualmachines")]
    [TestCase("get|vm|", "guest")]
    [TestCase("describe|virtualmachine|g", "guest")]
    [TestCase("console|", "guest")]
    [TestCase("vnc|g", "guest")]
    public async Task Completes_kinds_and_names(string words, string expected)
    {
        hub.Answer("GET /api/v1/virtualmachines", $$"""{"resourceVersion":9,"items":[{{Machine}}]}""");
        var outcome = await cli.RunAsync(["__complete", "--", .. words.Split('|')]);
        Assert.That(outcome.Out, Is.EqualTo(expected + "\n"), outcome.Error);
    }
}
