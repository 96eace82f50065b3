using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests;

/// <summary>A virtual machine beside a container, with the published programs, from its manifest to its end.</summary>
[Category("root")]
public sealed class VirtualMachineTests
{
    private const int NodePort = 8081;
    private const int Refused = 6;

    // Where it can be emulated it is, so that this runs on every machine.
    private const string Meter = $$"""
        apiVersion: edgevirt.io/v1
        kind: VirtualMachine
        metadata: {name: meter}
        spec:
          acceleration: Preferred
          terminationGracePeriodSeconds: 0
          memory: {size: 256Mi}
          boot:
            kernel: {image: {{Fleet.RegistryName}}/vm/meter:1, kernel: /boot/vmlinuz, initrd: /boot/initrd, commandLine: console=ttyS0 quiet}
          interfaces:
          - name: lan
            ports: [{containerPort: 80, hostPort: 8081}]
        """;

    private const string Script = $$"""
        bb mkdir -p /www/cgi-bin
        bb cat >/www/cgi-bin/state <<'END'
        #!/bin/busybox sh
        echo 'Content-Type: text/plain'
        echo
        /bin/busybox cat /proc/sys/kernel/random/boot_id /proc/uptime
        END
        bb cat >/www/cgi-bin/neighbour <<'END'
        #!/bin/busybox sh
        echo 'Content-Type: text/plain'
        echo
        /bin/busybox wget -q -O - http://web:8080/ 2>&1
        END
        bb chmod +x /www/cgi-bin/state /www/cgi-bin/neighbour
        {{GuestImage.ServeScript}}
        echo SERVING
        while read line; do echo heard $line; done
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(15) };
    private TempDirectory directory = null!;
    private Fleet fleet = null!;
    private RealCli cli = null!;
    private MachineRemains before = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        if (LinuxGuest.Kernel is not { } kernel)
        {
            Assert.Ignore("there is no kernel for a guest here, and none can be fetched");
            return;
        }

        directory = new TempDirectory();
        fleet = await Fleet.StartAsync();
        cli = RealCli.At(fleet.Hub);
        fleet.Registry.Push(GuestImage.Make(directory.Subdirectory("image"), kernel, Script), "vm/meter:1");
        await fleet.RunWebAsync();
        before = MachineRemains.Of(fleet.Node);
        await File.WriteAllTextAsync(directory.Combine("meter.yaml"), Meter);
        var applied = cli.Try("apply", "-f", directory.Combine("meter.yaml"));
        Assert.That(applied.ExitCode, Is.Zero, applied.Error);
        await WaitAsync(status => status is { ReadyInstances: 1, DesiredInstances: 1 });
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        http.Dispose();
        if (fleet is not null)
        {
            await fleet.DisposeAsync();
        }

        directory?.Dispose();
    }

    // One after the other: each needs what the one before left.
    [Test]
    public async Task Is_reached_and_seen_goes_on_without_the_agent_and_leaves_nothing_behind()
    {
        await ShowsItBesideAContainerAsync();
        await GivesItsConsoleToOneAsync();
        await ShowsItsDisplayAsync();
        await GoesOnWithoutAgentAsync();
        await LeavesNothingAsync();
    }

    private async Task ShowsItBesideAContainerAsync()
    {
        var table = cli.Try("get", "vm");
        Assert.That(table.Output, Does.Match(@"meter +1/1 +node-1 +Running +(yes|no) "), table.Error);
        await StateAsync();
        var description = cli.Try("describe", "vm", "meter").Output;
        Assert.That(description, Does.Match(@"State: +Running").And.Match(@"Address: +10\.").And.Contain("Accelerated"));

        var fromContainer = cli.Try("exec", "web", "--", "/bin/sh", "-c", "wget -q -O - http://meter/cgi-bin/state");
        Assert.That(fromContainer.Output, Does.Match("^[0-9a-f-]{36}\n"), $"exit code {fromContainer.ExitCode}: {fromContainer.Error}");
        Assert.That(await http.GetStringAsync(Page("neighbour")), Does.Contain("EdgeVirt"), "the page of the container, fetched by the guest");
    }

    private async Task GivesItsConsoleToOneAsync()
    {
        await using var first = cli.StartAtTerminal(directory.Combine("first"), "console", "meter");
        await first.UntilShownAsync("SERVING");
        await first.TypeAsync("one\r");
        await first.UntilShownAsync("heard one");

        var refused = cli.Try("console", "meter");
        Assert.That(refused.ExitCode, Is.EqualTo(Refused), refused.Output);
        Assert.That(refused.Error, Does.Contain("The console of 'meter' is in use by").And.Contain("--force"));

        await using var second = cli.StartAtTerminal(directory.Combine("second"), "console", "--force", "meter");
        Assert.That(await first.Process.WaitAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(Refused));
        Assert.That(first.Shown, Does.Contain("taken over by"));
        await second.UntilShownAsync("heard one");
        await second.TypeAsync("two\r");
        await second.UntilShownAsync("heard two");
        await second.TypeAsync("\x10\x11");
        Assert.That(await second.Process.WaitAsync(TimeSpan.FromSeconds(20)), Is.Zero, second.Shown);

        Assert.That(cli.Try("console", "--log", "--tail", "1", "meter").Output.ReplaceLineEndings("\n"), Is.EqualTo("heard two\n"));
        Assert.That(cli.Try("console", "--log", "meter").Output, Does.Contain(LinuxGuest.Marker).And.Contain("heard one"));
    }

    private async Task ShowsItsDisplayAsync()
    {
        await using var vnc = cli.Start(directory.Combine("vnc.log"), "vnc", "meter");
        await vnc.WaitUntilAsync("listening", () => Task.FromResult(vnc.LogTail().Contains("vnc://", StringComparison.Ordinal)), TimeSpan.FromSeconds(20));
        using var viewer = new TcpClient();
        await viewer.ConnectAsync(IPEndPoint.Parse(vnc.LogTail().Split("vnc://")[1].Split('\n')[0].Trim()));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var greeting = new byte[12];
        await viewer.GetStream().ReadExactlyAsync(greeting, limit.Token);
        Assert.That(Encoding.ASCII.GetString(greeting), Is.EqualTo("RFB 003.008\n"));
        await viewer.GetStream().WriteAsync(greeting, limit.Token);
        var types = new byte[2];
        await viewer.GetStream().ReadExactlyAsync(types, limit.Token);
        Assert.That(types, Is.EqualTo((byte[])[1, 1]), "one security type: None");
    }

    private async Task GoesOnWithoutAgentAsync()
    {
        var running = MachineRemains.Of(fleet.Node);
        Assert.That(running.Qemus, Has.Count.EqualTo(1), running.ToString());
        var earlier = await StateAsync();
        await fleet.Node.KillAsync();
        var without = await StateAsync();
        Assert.That(without.BootId, Is.EqualTo(earlier.BootId), "nobody needs the agent for that");
        await fleet.Node.StartAsync();
        await fleet.WaitForNodeAsync(fleet.Node.Name);
        var later = await StateAsync();
        Assert.That(MachineRemains.Of(fleet.Node).Qemus, Is.EqualTo(running.Qemus));
        Assert.That((later.BootId, later.Uptime > without.Uptime && without.Uptime > earlier.Uptime), Is.EqualTo((earlier.BootId, true)));
        var status = await WaitAsync(now => now.ReadyInstances == 1);
        Assert.That(status.Instances.Single().RestartCount, Is.Zero);
        Assert.That(cli.Try("console", "--log", "meter").Output, Does.Contain("heard two"), "what it wrote before");
    }

    private async Task LeavesNothingAsync()
    {
        var running = MachineRemains.Of(fleet.Node);
        Assert.That((running.Qemus.Count, running.Groups > before.Groups, running.Mounts > before.Mounts, running.Links, running.Folders), Is.EqualTo((1, true, true, 1, 1)), "else nothing could be missing");
        var deleted = cli.Try("delete", "vm", "meter");
        Assert.That(deleted.ExitCode, Is.Zero, deleted.Error);
        await HubApi.WaitForAsync(
            $"the node to have no more than before: {before}", () => Task.FromResult(MachineRemains.Of(fleet.Node)), before.CountsLike, now => now.ToString(), TimeSpan.FromSeconds(30));
        await HubApi.WaitForAsync("the hub to forget it", () => fleet.Hub.Api.GetAsync(ResourceKind.VirtualMachine, "meter"), gone => gone is null, _ => "is there", TimeSpan.FromSeconds(30));
        Assert.That(await Fleet.FetchAsync(fleet.Node), Does.Contain("EdgeVirt"), "the container is untouched");
    }

    private Uri Page(string name) => new(string.Create(CultureInfo.InvariantCulture, $"http://{fleet.Node.Place.Address}:{NodePort}/cgi-bin/{name}"));

    // The guest's boot, and the seconds since.
    private async Task<(string BootId, double Uptime)> StateAsync()
    {
        var answer = await HubApi.WaitForAsync("an answer of the guest", () => http.GetStringAsync(Page("state")), page => page.Contains('\n', StringComparison.Ordinal), page => page, TimeSpan.FromSeconds(60));
        var lines = answer.Split('\n');
        return (lines[0], double.Parse(lines[1].Split(' ')[0], CultureInfo.InvariantCulture));
    }

    private Task<VirtualMachineStatus> WaitAsync(Predicate<VirtualMachineStatus> fits) => HubApi.WaitForAsync(
        "the machine",
        async () => (await fleet.Hub.Api.GetAsync(ResourceKind.VirtualMachine, "meter"))?.Status is { } status
            ? status.Deserialize(ContractsJson.Default.VirtualMachineStatus)!
            : new VirtualMachineStatus(),
        fits,
        status => JsonSerializer.Serialize(status, ContractsJson.Default.VirtualMachineStatus),
        Patience);
}
