using System.Net;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;
using NUnit.Framework.Interfaces;

namespace EdgeVirt.SystemTests;

/// <summary>
/// The published agent as <c>images/systemd/edgevirt-agent.service</c> runs it on a plain Debian 13: systemd, pure cgroup
/// v2, crun. One emulated machine with two workloads serves all tests; each leaves it as it found it.
/// </summary>
[Category("emulated")]
public sealed class PlainDebianTests
{
    private const string Node = "debian";
    private const string Unit = "edgevirt-agent";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private Fleet fleet = null!;
    private DebianMachine machine = null!;

    [OneTimeSetUp]
    public async Task BootAsync()
    {
        if (DebianMachine.Obstacle is { } obstacle)
        {
            Assert.Ignore(obstacle);
        }

        fleet = await Fleet.StartAsync(nodes: 0);
        var token = await fleet.Hub.Api.CreateClaimAsync(Node);
        machine = await DebianMachine.StartAsync(fleet.Network, root => Install(root, token));
        try
        {
            await HubApi.WaitForAsync(
                "the machine to be a Ready node", () => fleet.NodeStatusAsync(Node), now => now.Is("Ready", ConditionStatus.True), now => now.ToString(), Patience);
            await RunSamplesAsync();
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}{Environment.NewLine}{await machine.JournalAsync(Unit)}", e);
        }
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        if (machine is not null)
        {
            await machine.DisposeAsync();
        }

        if (fleet is not null)
        {
            await fleet.DisposeAsync();
        }
    }

    [TearDown]
    public async Task TellAsync()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed && machine is not null)
        {
            await TestContext.Out.WriteLineAsync(await machine.JournalAsync(Unit));
        }
    }

    [Test]
    public async Task The_board_enrolls_and_its_unit_is_active()
    {
        var status = await fleet.NodeStatusAsync(Node);
        Assert.That(status.ContainerRuntime, Does.StartWith("crun "));
        Assert.That(status.OperatingSystem, Does.Contain("Debian").And.Contain("13"));
        Assert.That(status.Addresses, Does.Contain(machine.Address.ToString()));
        Assert.That(await ShowAsync("Type,ActiveState,SubState"), Does.Contain("Type=notify").And.Contain("ActiveState=active").And.Contain("SubState=running"));
    }

    [Test]
    public async Task A_workload_answers_on_its_published_port() =>
        Assert.That(await Fleet.FetchAsync(machine.Address), Does.Contain("EdgeVirt"));

    [Test]
    public async Task Limits_are_in_force_whatever_systemd_does_with_its_own_groups()
    {
        var status = await fleet.Hub.Api.WorkloadStatusAsync("limited");
        Assert.That(status.Conditions.Is(ConditionTypes.LimitsEnforced, ConditionStatus.True), Is.True, status.ToString());

        var limits = $"cd /sys/fs/cgroup/edgevirt/*/{status.Instances[0].Containers[0].ContainerId} && cat memory.max cpu.max pids.max memory.swap.max";
        const string Expected = "67108864\n50000 100000\n32\n0";
        Assert.That(await machine.RunAsync(limits), Is.EqualTo(Expected));

        // systemd turns controllers on and off at the root as its units come and go.
        await machine.RunAsync(
            "printf '[Service]\\nType=oneshot\\nCPUWeight=50\\nExecStart=/bin/cat /proc/self/cgroup\\n' >/run/systemd/system/weighted.service && systemctl daemon-reload && systemctl start weighted && systemctl daemon-reload");
        Assert.That(await machine.RunAsync(limits), Is.EqualTo(Expected));
    }

    [Test]
    public async Task Requests_and_class_decide_who_keeps_memory_and_who_goes_first()
    {
        var limited = (await fleet.Hub.Api.WorkloadStatusAsync("limited")).Instances[0].Containers[0].ContainerId;
        var groups = (await machine.RunAsync($"cd /sys/fs/cgroup/edgevirt/*/{limited}/.. && cat {limited}/memory.min memory.min ../memory.min {limited}/cpu.weight && cat /proc/$(head -1 {limited}/cgroup.procs)/oom_score_adj")).Split('\n').Select(int.Parse).ToList();
        Assert.That(groups[0], Is.EqualTo(64 << 20), "what it asked for");
        Assert.That(groups.Take(3), Has.All.GreaterThanOrEqualTo(64 << 20), "and so its parents, without which it would not hold");
        Assert.That(groups[3], Is.InRange(1, 99), "half a CPU weighs less than the system's own units");
        Assert.That(groups[4], Is.EqualTo(-997), "Guaranteed: as much asked for as allowed");

        var web = (await fleet.Hub.Api.WorkloadStatusAsync("web")).Instances[0].Containers[0].ContainerId;
        var free = int.Parse(await machine.RunAsync($"cat /proc/$(head -1 /sys/fs/cgroup/edgevirt/*/{web}/cgroup.procs)/oom_score_adj"));
        Assert.That(free, Is.EqualTo(1000), "BestEffort: it asked for nothing");

        var (most, all) = (long.Parse(await machine.RunAsync("cat /sys/fs/cgroup/edgevirt/*/memory.max")), long.Parse(await machine.RunAsync("grep MemTotal /proc/meminfo | tr -dc 0-9")) << 10);
        Assert.That(all - most, Is.InRange(127L << 20, 129L << 20), "the agent's and the system's part");
    }

    [Test]
    public async Task The_agents_AppArmor_profile_confines_a_container_that_does_not_say_otherwise()
    {
        var limited = (await fleet.Hub.Api.WorkloadStatusAsync("limited")).Instances[0].Containers[0].ContainerId;
        Assert.That(await machine.RunAsync($"cat /proc/$(head -1 /sys/fs/cgroup/edgevirt/*/{limited}/cgroup.procs)/attr/current"), Is.EqualTo("edgevirt-default-1 (enforce)"));

        // Capabilities and system calls would allow a mount; the profile alone does not.
        Assert.That(await MountsAsync("confined", "{type: RuntimeDefault}"), Is.Not.Zero);
        Assert.That(await MountsAsync("unconfined", "{type: Unconfined}"), Is.Zero);

        async Task<int?> MountsAsync(string name, string profile)
        {
            await fleet.Hub.Api.ApplyAsync($$"""
                apiVersion: edgevirt.io/v1
                kind: Workload
                metadata: {name: {{name}}}
                spec:
                  template:
                    restartPolicy: Never
                    containers:
                    - name: main
                      image: {{Fleet.BusyboxImage}}
                      command: [/bin/mount, -t, tmpfs, none, /tmp]
                      securityContext: {capabilities: {add: [SYS_ADMIN]}, seccompProfile: {type: Unconfined}, appArmorProfile: {{profile}}}
                """);
            var status = await HubApi.WaitForAsync(
                $"the {name} container to end", () => fleet.Hub.Api.WorkloadStatusAsync(name),
                now => now.Instances is [{ Containers: [{ State: ContainerState.Terminated }] }], now => now.ToString(), Patience);
            await fleet.Hub.Api.DeleteAsync(ResourceKind.Workload, name);
            return status.Instances[0].Containers[0].LastExit?.Code;
        }
    }

    [Test]
    public async Task Root_of_a_workload_with_users_of_its_own_is_nobody_on_the_node()
    {
        await fleet.Hub.Api.ApplyAsync(WithLimits("nobody", "exec sleep 100000", "{memory: 32Mi}").Replace("template:", "template:\n    hostUsers: false", StringComparison.Ordinal));
        await fleet.Hub.Api.WaitForWorkloadAsync("nobody", 1, Patience);
        var id = (await fleet.Hub.Api.WorkloadStatusAsync("nobody")).Instances[0].Containers[0].ContainerId;
        Assert.That(await machine.RunAsync($"ps -o uid= -p $(head -1 /sys/fs/cgroup/edgevirt/*/{id}/cgroup.procs) | tr -d ' '"), Is.EqualTo($"{1 << 30}"));
        await fleet.Hub.Api.DeleteAsync(ResourceKind.Workload, "nobody");
        await machine.WaitForAsync("ls /sys/fs/cgroup/edgevirt/*", groups => !groups.Contains("nobody-", StringComparison.Ordinal), Patience);
    }

    [Test]
    public async Task Monitors_are_in_a_group_of_their_own_and_not_in_the_units()
    {
        var agent = await ShowAsync("MainPID");
        await machine.WaitForAsync(
            $"cat /sys/fs/cgroup/system.slice/{Unit}.service/cgroup.procs", ids => $"MainPID={ids}" == agent, TimeSpan.FromSeconds(20));

        var monitors = await machine.RunAsync("for id in $(cat /sys/fs/cgroup/edgevirt/*/monitors/cgroup.procs); do cat /proc/$id/comm; done");
        Assert.That(monitors.Split('\n'), Is.EqualTo(["conmon", "conmon"]));
    }

    [Test]
    public async Task More_memory_than_the_limit_ends_that_container_alone()
    {
        var (agent, running) = (await ShowAsync("MainPID,NRestarts"), await RunningAsync());
        await fleet.Hub.Api.ApplyAsync(WithLimits("greedy", "exec tail /dev/zero", "{memory: 32Mi}", restart: "Never"));

        var status = await HubApi.WaitForAsync(
            "the greedy container to end",
            () => fleet.Hub.Api.WorkloadStatusAsync("greedy"),
            now => now.Instances is [{ Containers: [{ State: ContainerState.Terminated }] }],
            now => now.ToString(),
            Patience);

        Assert.That(status.Instances[0].Containers[0].LastExit, Has.Property("Reason").EqualTo("OOMKilled").And.Property("Code").EqualTo(137));
        Assert.That(await ShowAsync("MainPID,NRestarts"), Is.EqualTo(agent));
        Assert.That(await RunningAsync(), Is.EqualTo(running));
        await Fleet.FetchAsync(machine.Address);
        await fleet.Hub.Api.DeleteAsync(ResourceKind.Workload, "greedy");
    }

    [Test]
    public async Task Containers_outlive_a_killed_agent_which_systemd_starts_again() =>
        await AdoptsAsync(async () => await machine.RunAsync($"systemctl kill --kill-whom=main --signal=KILL {Unit}"));

    [Test]
    public async Task Containers_outlive_a_restart_of_the_unit() =>
        await AdoptsAsync(async () => await machine.RunAsync($"systemctl restart {Unit}"));

    [Test]
    public async Task Containers_go_on_while_the_unit_is_stopped() =>
        await AdoptsAsync(async () =>
        {
            var running = await RunningAsync();
            await machine.RunAsync($"systemctl stop {Unit}");
            Assert.That(await ShowAsync("ActiveState,Result"), Does.Contain("ActiveState=inactive").And.Contain("Result=success"));
            Assert.That(await RunningAsync(), Is.EqualTo(running));
            await Fleet.FetchAsync(machine.Address);
            await machine.RunAsync($"systemctl start {Unit}");
        });

    [Test]
    public async Task An_agent_that_hangs_is_ended_by_the_watchdog_and_started_again()
    {
        await machine.RunAsync(
            $"mkdir -p /run/systemd/system/{Unit}.service.d && printf '[Service]\\nWatchdogSec=6\\n' >/run/systemd/system/{Unit}.service.d/watchdog.conf && systemctl daemon-reload");
        await machine.RunAsync($"systemctl restart {Unit}");
        // Fed: it lives longer than the watchdog allows without a sign of life.
        var agent = await ShowAsync("MainPID,NRestarts");
        await Task.Delay(TimeSpan.FromSeconds(9));
        Assert.That(await ShowAsync("MainPID,NRestarts"), Is.EqualTo(agent));

        await AdoptsAsync(async () => await machine.RunAsync($"systemctl kill --kill-whom=main --signal=STOP {Unit}"));
        Assert.That(await machine.RunAsync($"journalctl --no-pager -b -u {Unit}"), Does.Contain("Watchdog timeout"));
        await machine.RunAsync($"rm -r /run/systemd/system/{Unit}.service.d && systemctl daemon-reload && systemctl restart {Unit}");
    }

    [Test]
    public async Task After_a_power_cut_everything_comes_back_by_itself_without_the_hub()
    {
        var boot = (await fleet.NodeStatusAsync(Node)).BootId;
        await fleet.Hub.KillAsync();
        await fleet.Registry.StopAsync();

        await machine.CutPowerAsync();

        await Fleet.FetchAsync(machine.Address, Patience);
        await machine.WaitForAsync("ls /sys/fs/cgroup/edgevirt/*", groups => groups.Contains("limited-", StringComparison.Ordinal), Patience);
        await fleet.Registry.StartAsync();
        await fleet.Hub.StartAsync();
        var status = await HubApi.WaitForAsync(
            "the node to be Ready after its boot", () => fleet.NodeStatusAsync(Node),
            now => now.Is("Ready", ConditionStatus.True) && now.BootId != boot, now => now.ToString(), Patience);
        Assert.That(status.Is(ConditionTypes.StorageHealthy, ConditionStatus.True), Is.True, status.ToString());
        await WaitForSamplesAsync();
    }

    [Test]
    public async Task Deleted_workloads_leave_nothing_behind()
    {
        await fleet.Hub.Api.DeleteAsync(ResourceKind.Workload, "web");
        await fleet.Hub.Api.DeleteAsync(ResourceKind.Workload, "limited");

        await machine.WaitForAsync(
            "ls -d /sys/fs/cgroup/edgevirt /run/edgevirt/netns/* /var/lib/edgevirt/containers/* 2>/dev/null; ps -e -o comm= | grep -E '^(conmon|nginx|crun)$'; grep -c overlay /proc/mounts",
            left => left == "0",
            Patience);
        await RunSamplesAsync();
    }

    [Test]
    public async Task The_hubs_unit_runs_it_without_rights()
    {
        await machine.RunAsync("systemctl start edgevirt-hub");
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator };
        using var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5) };
        var version = await HubApi.WaitForAsync(
            "the hub in the machine", () => client.GetAsync(new Uri($"https://{machine.Address}:8443/api/v1/version")),
            answer => answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Unauthorized, answer => answer.ToString(), Patience);
        Assert.That(version.IsSuccessStatusCode, Is.True, await machine.JournalAsync("edgevirt-hub"));

        var rights = await machine.RunAsync("grep -hE '^(Uid|CapEff|NoNewPrivs|Seccomp):' /proc/$(systemctl show -P MainPID edgevirt-hub)/status");
        Assert.That(rights, Does.Not.Contain("Uid:\t0").And.Contain("CapEff:\t0000000000000000").And.Contain("NoNewPrivs:\t1").And.Contain("Seccomp:\t2"));
        await machine.RunAsync("systemctl stop edgevirt-hub");
        Assert.That(await machine.RunAsync("systemctl show -P Result edgevirt-hub"), Is.EqualTo("success"));
    }

    private async Task RunSamplesAsync()
    {
        await fleet.Hub.Api.ApplyAsync(SampleManifests.Web);
        await fleet.Hub.Api.ApplyAsync(WithLimits("limited", "exec sleep 100000", "{memory: 64Mi, cpu: 500m, pids: 32}"));
        await WaitForSamplesAsync();
    }

    private async Task WaitForSamplesAsync()
    {
        await fleet.Hub.Api.WaitForWorkloadAsync("web", 1, Patience);
        await fleet.Hub.Api.WaitForWorkloadAsync("limited", 1, Patience);
    }

    // What docs/technician.md and docs/operator.md tell a person to do, but for enabling the unit.
    private void Install(string root, string token)
    {
        Put(root, PublishedBinaries.Agent, "usr/local/bin/edgevirt-agent");
        Put(root, RepositoryRoot.Combine("images", "systemd", "edgevirt-agent.service"), "etc/systemd/system/edgevirt-agent.service");
        Put(root, RepositoryRoot.Combine("images", "systemd", "edgevirt-hub.service"), "etc/systemd/system/edgevirt-hub.service");
        Directory.CreateDirectory(Path.Combine(root, "usr/local/lib"));
        Command.Run("cp", "-a", Path.GetDirectoryName(PublishedBinaries.Hub)!, Path.Combine(root, "usr/local/lib/edgevirt-hub"));
        var configuration = Directory.CreateDirectory(Path.Combine(root, "etc/edgevirt")).FullName;
        File.WriteAllText(Path.Combine(configuration, "claim.token"), token);
        File.WriteAllText(
            Path.Combine(configuration, "agent.json"),
            new JsonObject
            {
                ["hub"] = fleet.Hub.NodeAddress,
                ["claimTokenFile"] = "/etc/edgevirt/claim.token",
                ["nodeName"] = Node,
                ["heartbeatSeconds"] = 5,
                ["registries"] = new JsonObject { [Fleet.RegistryName] = new JsonObject { ["url"] = fleet.Registry.Url.ToString() } },
            }.ToJsonString());
    }

    private static void Put(string root, string file, string path)
    {
        var target = Path.Combine(root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Copy(file, target);
    }

    private static string WithLimits(string name, string script, string limits, string restart = "Always") => $$"""
        apiVersion: edgevirt.io/v1
        kind: Workload
        metadata: {name: {{name}}}
        spec:
          template:
            restartPolicy: {{restart}}
            terminationGracePeriodSeconds: 0
            containers:
            - name: main
              image: {{Fleet.BusyboxImage}}
              command: [/bin/sh, -c, {{script}}]
              resources: {limits: {{limits}}}
        """;

    // Ends the agent's process in some way and expects another one that took over what runs.
    private async Task AdoptsAsync(Func<Task> end)
    {
        var (agent, running) = (await ShowAsync("MainPID"), await RunningAsync());
        await end();
        await machine.WaitForAsync(
            $"systemctl show -p MainPID {Unit}; systemctl is-active {Unit}; cat /run/edgevirt/ready",
            now => !now.StartsWith(agent + "\n", StringComparison.Ordinal) && now.Contains("\nactive\n", StringComparison.Ordinal) && int.TryParse(now.Split('\n')[^1], out _),
            Patience);

        Assert.That(await RunningAsync(), Is.EqualTo(running), "the very same containers and monitors go on");
        Assert.That(await Fleet.FetchAsync(machine.Address), Does.Contain("EdgeVirt"));
        Assert.That(
            await machine.RunAsync("journalctl --no-pager -b -u " + Unit), Does.Not.Contain("left-over").And.Not.Contain("remains running").And.Not.Contain("Removed container"),
            "systemd finds nothing in the unit's group to complain about");
    }

    /// <summary>Every process of containers and monitors.</summary>
    private Task<string> RunningAsync() => machine.RunAsync("cat /sys/fs/cgroup/edgevirt/*/*/cgroup.procs | sort -n | tr '\\n' ' '");

    private async Task<string> ShowAsync(string properties) => (await machine.RunAsync($"systemctl show -p {properties} {Unit}")).Replace('\n', ' ');
}
