using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.VirtualMachines.Qemu;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>A Debian as clouds have it (<c>images/debian-cloud</c>), which is told by cloud-init who it is.</summary>
[Category("root")]
[Category("long")]
public sealed class CloudGuestTests
{
    private const string State =
        "hostname; cat /etc/greeting; sort /var/lib/ran | tr '\\n' ' '; echo; cat /proc/sys/kernel/random/boot_id; cat /var/lib/cloud/data/instance-id; df --output=size -BM / | tail -n 1; systemctl is-active qemu-guest-agent";

    private static readonly TimeSpan Boot = TimeSpan.FromMinutes(4);
    private GuestBoard board = null!;

    [SetUp]
    public async Task SetUp()
    {
        var image = RepositoryRoot.Combine("artifacts/images/debian-cloud");
        if (DebianMachine.Obstacle is { } obstacle)
        {
            Assert.Ignore(obstacle);
        }

        if (!File.Exists(Path.Combine(image, "root.ext4")))
        {
            throw new InvalidOperationException($"{image} is missing: run ./dev image debian-cloud first.");
        }

        board = await GuestBoard.StartAsync(image, new MachineAgentSetup { Patience = 2 * Boot });
    }

    [TearDown]
    public async Task TearDown()
    {
        if (board is not null)
        {
            await board.DisposeAsync();
        }
    }

    [Test]
    public async Task Is_who_it_is_told_to_be_and_does_what_it_is_told_once_each_time_it_is_told_something_else()
    {
        foreach (var name in (string[])["key", "other"])
        {
            Command.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", board.Combine(name));
        }

        await board.Agent.DesireAsync(1, Machine(1, "hello"));
        await RunsAsync();
        await board.ServeAsync();
        var first = await StateAsync();
        Assert.That((first.Hostname, first.Greeting, first.Ran), Is.EqualTo(("meter", "hello", "hello")));
        Assert.That(first.Mebibytes, Is.GreaterThan(900), "its file system has grown to the size of its disk");
        Assert.That(first.GuestAgent, Is.EqualTo("active"));
        Assert.That(Ssh("true", key: "other").Error, Does.Contain("Permission denied"), "another key opens nothing");
        Assert.That(Ssh("hostname", board.Agent.Network.Gateway, port: 2222), Is.EqualTo((0, "meter\n", "")), "by its node port");

        await board.RestartAsync();
        await board.ServeAsync();
        Assert.That(await StateAsync(), Is.EqualTo(first), "the agent's end changed nothing");

        // Another start with the same seed is no reason to do anything again; nor does what is told take effect before a start.
        await StopAsync(2, "hello");
        Assert.That(board.ConsoleOf("meter"), Does.Contain("reboot: Power down"), "by its power button");
        await board.Agent.DesireAsync(3, Machine(3, "hello"));
        await RunsAsync();
        var second = await StateAsync();
        Assert.That(second.BootId, Is.Not.EqualTo(first.BootId));
        Assert.That(second with { BootId = first.BootId }, Is.EqualTo(first));

        await StopAsync(4, "good day");
        await board.Agent.DesireAsync(5, Machine(5, "good day"));
        await RunsAsync();
        var third = await StateAsync();
        Assert.That(third.InstanceId, Is.Not.EqualTo(first.InstanceId));
        Assert.That((third.Hostname, third.Greeting, third.Ran), Is.EqualTo(("meter", "good day", "good day hello")));
    }

    private async Task StopAsync(long generation, string greeting)
    {
        await board.Agent.DesireAsync((ulong)generation, Machine(generation, greeting, VirtualMachinePower.Stopped));
        await board.Agent.UntilAsync("meter", status => status.State == VirtualMachineState.Stopped);
    }

    private Task<VirtualMachineInstanceStatus> RunsAsync() => board.Agent.UntilAsync("meter", GuestBoard.IsReady);

    // Once cloud-init is done: it may be so only after the SSH server answers.
    private async Task<GuestState> StateAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var (_, status, error) = Ssh("cloud-init status");
            if (status.StartsWith("status: done", StringComparison.Ordinal))
            {
                break;
            }

            if (status.StartsWith("status: error", StringComparison.Ordinal) || TimeProvider.System.GetElapsedTime(began) > Boot)
            {
                throw new TimeoutException($"cloud-init is not done: {status}{error}{Ssh("cloud-init status --long").Output}{board.ConsoleOf("meter")}");
            }

            await Task.Delay(500);
        }

        var (code, output, fault) = Ssh(State);
        Assert.That(code, Is.Zero, output + fault);
        var lines = output.Split('\n');
        return new GuestState(lines[0], lines[1], lines[2].TrimEnd(), lines[3], lines[4], int.Parse(lines[5].Trim().TrimEnd('M'), System.Globalization.CultureInfo.InvariantCulture), lines[6]);
    }

    private (int ExitCode, string Output, string Error) Ssh(string command, string? address = null, int port = 22, string key = "key") => Command.Try(
        "nsenter", $"--net={board.Host}", "--", "ssh", "-F", "/dev/null", "-i", board.Combine(key), "-p", $"{port}",
        "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        $"debian@{address ?? board.Agent.Records.All.Single().Cards.Single().Address}", command);

    private DesiredVirtualMachine Machine(long generation, string greeting, VirtualMachinePower power = VirtualMachinePower.Running) => new()
    {
        Name = "meter",
        Uid = "01234567-meter",
        Generation = generation,
        Spec = new VirtualMachineSpec
        {
            Power = power,
            Acceleration = VirtualMachineAcceleration.Preferred,
            Cpu = new VirtualCpuSpec { Cores = Math.Min(2, Environment.ProcessorCount) },
            Memory = new VirtualMemorySpec { Size = Guests.QuantityOf("512Mi") },
            Boot = new VirtualMachineBoot
            {
                Kernel = new DirectKernelSpec { Image = "registry.example/debian:13", Kernel = "/vmlinuz", Initrd = "/initrd", CommandLine = "root=LABEL=root rw console=ttyS0 quiet" },
            },
            Disks = [new VirtualDiskSpec { Name = "root", Image = new DiskImageSource { Reference = "registry.example/debian:13", Path = "/root.ext4" }, Size = Guests.QuantityOf("1Gi") }],
            Interfaces = [new VirtualInterfaceSpec { Name = "lan", Ports = [new ContainerPort { Port = 22, HostPort = 2222 }] }],
            Display = new VirtualDisplaySpec { Type = VirtualDisplayType.None },
            CloudInit = new CloudInitSpec
            {
                SshAuthorizedKeys = [File.ReadAllText(board.Combine("key.pub"))],
                UserData = $"""
                    #cloud-config
                    write_files:
                    - path: /etc/greeting
                      content: "{greeting}\n"
                    runcmd:
                    - [sh, -c, "echo {greeting} >> /var/lib/ran"]
                    """,
            },
        },
    };

    private sealed record GuestState(string Hostname, string Greeting, string Ran, string BootId, string InstanceId, int Mebibytes, string GuestAgent);
}
