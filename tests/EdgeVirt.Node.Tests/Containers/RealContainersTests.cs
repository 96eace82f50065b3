using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Real conmon, runtime, bridge and rules, in a network namespace of the test's own.</summary>
[Category("root")]
internal sealed class RealContainersTests : RealContainersFixture
{
    [Test]
    public async Task Runs_publishes_logs_survives_the_agent_restarts_and_leaves_nothing()
    {
        await DesireAsync(Workload("web", "echo hello; echo wrong >&2; exec busybox nc -ll -p 80 -e /bin/busybox echo answer", port: 18080));
        var status = await agent.UntilAsync("web", IsReady);
        var id = status.Containers[0].ContainerId!;
        Assert.That(await AnswerAsync(18080), Is.EqualTo("answer\n"), "by the node's loopback");
        Assert.That(await LinesAsync(new LogsRequest { Workload = "web", Tail = -1 }, 2), Is.EquivalentTo([(false, "hello"), (true, "wrong")]));

        var pid = File.ReadAllText(directories.PidFile(id));
        await RestartAsync();
        await agent.ReconcileAsync();
        status = await agent.UntilAsync("web", IsReady);
        Assert.That((status.Containers[0].ContainerId, File.ReadAllText(directories.PidFile(id))), Is.EqualTo((id, pid)), "adopted, not started again");
        Assert.That(await AnswerAsync(18080), Is.EqualTo("answer\n"));

        Assert.That(Processes.Signal(Processes.Identify(int.Parse(pid))!, Signals.Kill), Is.True);
        status = await agent.UntilAsync("web", status => IsReady(status) && status.Containers[0].RestartCount == 1);
        Assert.That(status.Containers[0].LastExit, Has.Property("Code").EqualTo(137).And.Property("Signal").EqualTo("SIGKILL").And.Property("Reason").EqualTo("Error"));
        Assert.That(await AnswerAsync(18080), Is.EqualTo("answer\n"));
        Assert.That(await LinesAsync(new LogsRequest { Workload = "web", Previous = true, Tail = 1 }, 1), Has.Count.EqualTo(1));

        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }

    [Test]
    public async Task Gives_values_files_volumes_limits_and_its_own_exit_reason()
    {
        const string Script = "echo $WORD; cat /keys/k; stat -Lc %a /keys/k /own/k; echo kept > /data/f; hostname; id -u; ulimit -n > /dev/null; exit 7";
        var workload = Workload("job", Script) with
        {
            Template = new PodSpec
            {
                RestartPolicy = RestartPolicy.Never,
                Volumes = [new VolumeSpec { Name = "data", EmptyDir = new EmptyDirSource() }, new VolumeSpec { Name = "keys", Secret = new SecretSource { SecretName = "s" } },
                    new VolumeSpec { Name = "own", Secret = new SecretSource { SecretName = "s", DefaultMode = 0x100 } }],
                Containers =
                [
                    new ContainerSpec
                    {
                        Name = "main", Image = "r.local/busybox:1", Command = ["/bin/busybox", "sh", "-c", Script],
                        Env = [new EnvVar { Name = "WORD", ValueFrom = new EnvVarSource { SecretKeyRef = new KeyRef { Name = "s", Key = "k" } } }],
                        VolumeMounts = [new VolumeMount { Name = "data", MountPath = "/data" }, new VolumeMount { Name = "keys", MountPath = "/keys" }, new VolumeMount { Name = "own", MountPath = "/own" }],
                    },
                ],
            },
        };
        await DesireAsync(
            new NodeDocument { Node = "n", Workloads = [workload], Secrets = [new DesiredSecret { Name = "s", Data = new Dictionary<string, byte[]> { ["k"] = "geheim\n"u8.ToArray() } }] });
        var status = await agent.UntilAsync("job", status => status.Conditions[0].Reason == ReadyReasons.Failed);
        Assert.That(status.Containers[0].LastExit!.Code, Is.EqualTo(7));
        var lines = await LinesAsync(new LogsRequest { Workload = "job", Tail = -1 }, 6);
        Assert.That(lines.Select(line => line.Text), Is.EqualTo(["geheim", "geheim", "644", "400", "job", "0"]));
        Assert.That(File.ReadAllText(Path.Combine(directories.EmptyDirs(SandboxRecord.IdOf("job", "uid1")), "data", "f")), Is.EqualTo("kept\n"));
        Assert.That(() => Directory.Exists(directories.Root(status.Containers[0].ContainerId!)), Is.False.After(5000, 20), "its root is let go of, and cannot go while it is searched");
        var secretsOnDisk = Directory.EnumerateFiles(options.DataDir, "*", SearchOption.AllDirectories)
            .Where(file => !file.Contains("ctr.log.", StringComparison.Ordinal) && !file.StartsWith(directories.LiveLogs, StringComparison.Ordinal) && File.ReadAllText(file, Encoding.Latin1).Contains("geheim"));
        Assert.That(secretsOnDisk, Is.Empty, "Secrets stay on tmpfs");
    }

    [Test]
    public async Task More_memory_than_the_limit_is_told_as_such()
    {
        Assert.That(Quantity.TryParse("16Mi", out var memory), Is.True);
        var workload = Workload("hog", "x=x; while true; do x=$x$x; done");
        var limited = workload.Template.Containers[0] with { Resources = new ResourceRequirements { Limits = new ResourceLimits { Memory = memory } } };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [limited], RestartPolicy = RestartPolicy.Never } });
        var status = await agent.UntilAsync("hog", status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit!.Reason, Is.EqualTo("OOMKilled"));
    }

    [Test]
    public async Task Who_asked_for_nothing_goes_first_when_memory_runs_out()
    {
        await DesireAsync(Workload("free", "exec busybox sleep 1000"));
        var status = await agent.UntilAsync("free", IsReady);
        var pid = File.ReadAllText(directories.PidFile(status.Containers[0].ContainerId!));
        Assert.That(File.ReadAllText($"/proc/{pid}/oom_score_adj").Trim(), Is.EqualTo("1000"));
    }

    [Test]
    public async Task A_command_that_does_not_exist_is_explained()
    {
        var workload = Workload("broken", "true");
        var broken = workload.Template.Containers[0] with { Command = ["/no/such/program"] };
        await DesireAsync(workload with { Template = workload.Template with { Containers = [broken], RestartPolicy = RestartPolicy.Never } });
        var status = await agent.UntilAsync("broken", status => status.Containers[0].State == ContainerState.Terminated);
        Assert.That(status.Containers[0].LastExit!.Message, Does.Contain("/no/such/program"));
    }

    [Test]
    public async Task What_a_killed_agent_left_half_made_is_removed()
    {
        await DesireAsync(Workload("web", "exec busybox sleep 1000"));
        var status = await agent.UntilAsync("web", IsReady);
        await agent.DisposeAsync();
        // As if the agent had ended between two steps of a removal: the record is gone, everything else is there.
        Directory.Delete(directories.Sandbox(SandboxRecord.IdOf("web", "uid1")), recursive: true);
        File.Delete(Path.Combine(directories.Container(status.Containers[0].ContainerId!), "container.json"));
        agent = NewAgent();
        revision = 10;
        await DesireAsync();
        await agent.UntilGoneAsync("web");
        AssertNothingIsLeft();
    }
}
