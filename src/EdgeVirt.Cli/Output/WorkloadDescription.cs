using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>A workload for people: what is wanted, and what each node makes of it.</summary>
internal static class WorkloadDescription
{
    public static void Write(Description to, WorkloadSpec spec, WorkloadStatus? status)
    {
        to.Field("Placement", PlacementText(spec.Placement));
        to.Field("Restart", spec.Template.RestartPolicy.ToString());
        to.Field("QoS class", QosClasses.Of(spec.Template).ToString());
        to.Field("Starts after", spec.Template.StartAfter is { Count: > 0 } after ? string.Join(", ", after.Select(AfterText)) : null);
        to.Field("Users", spec.Template.HostUsers == false ? "its own" : null);
        to.Field("Network", spec.Template.HostNetwork ? "the node's own" : null);
        to.Field("Ready", $"{status?.ReadyInstances ?? 0} of {status?.DesiredInstances ?? 0} nodes");
        foreach (var container in spec.Template.InitContainers ?? [])
        {
            to.Section($"Init container {container.Name}");
            WriteContainer(to, container);
        }

        foreach (var container in spec.Template.Containers)
        {
            to.Section($"Container {container.Name}");
            WriteContainer(to, container);
        }

        if (status?.Conditions.Count > 0)
        {
            to.Section("Conditions");
            to.Conditions(status.Conditions);
        }

        foreach (var instance in status?.Instances ?? [])
        {
            to.Section($"On node {instance.Node}");
            to.Field("Address", instance.Address, 2);
            to.Field("Generation", $"{instance.ObservedGeneration}", 2);
            to.Conditions(instance.Conditions);
            WriteInstance(to, instance);
        }
    }

    public static string PlacementText(Placement? placement) => (placement?.Replicas is { } replicas ? $"{replicas} nodes" : "every node") +
        (placement?.NodeSelector is { Count: > 0 } selector ? $" with {string.Join(", ", selector.Select(one => $"{one.Key}={one.Value}"))}" : "");

    private static string AfterText(StartAfter after) => $"{after.Workload} ({after.Condition}{(after.Optional ? ", where it is" : "")})";

    private static void WriteContainer(Description to, ContainerSpec container)
    {
        to.Field("Image", container.Image, 2);
        to.Field("Command", container.Command is null ? null : string.Join(' ', container.Command), 2);
        to.Field("Args", container.Args is null ? null : string.Join(' ', container.Args), 2);
        to.Field("Ports", container.Ports is null ? null : string.Join(", ", container.Ports.Select(PortText)), 2);
        to.Field("Environment", container.Env is null ? null : string.Join(", ", container.Env.Select(VariableText)), 2);
        to.Field("Mounts", container.VolumeMounts is null ? null : string.Join(", ", container.VolumeMounts.Select(one => $"{one.Name} on {one.MountPath}")), 2);
        if (container.Resources?.Requests is { } requests)
        {
            string?[] asked = [requests.Cpu is { } cpu ? $"{cpu} CPU" : null, requests.Memory is { } memory ? $"{memory} memory" : null];
            to.Field("Requests", string.Join(", ", asked.Where(part => part is not null)), 2);
        }

        if (container.Resources?.Limits is { } limits)
        {
            string?[] parts = [limits.Cpu is { } cpu ? $"{cpu} CPU" : null, limits.Memory is { } memory ? $"{memory} memory" : null, limits.Pids is { } pids ? $"{pids} processes" : null, limits.EphemeralStorage is { } disk ? $"{disk} root" : null];
            to.Field("Limits", string.Join(", ", parts.Where(part => part is not null)), 2);
        }

        foreach (var (probe, name) in new[] { (container.StartupProbe, "Startup"), (container.ReadinessProbe, "Readiness"), (container.LivenessProbe, "Liveness") })
        {
            to.Field(name, probe is null ? null : ProbeText(probe), 2);
        }

        to.Field("After start", container.Lifecycle?.PostStart is { } first ? HookText(first) : null, 2);
        to.Field("Before stop", container.Lifecycle?.PreStop is { } hook ? HookText(hook) : null, 2);
        to.Field("Security", container.SecurityContext is { } security ? SecurityText(security) : null, 2);
    }

    private static void WriteInstance(Description to, WorkloadInstanceStatus instance)
    {
        var table = new TableView("CONTAINER", "STATE", "RESTARTS", "STARTED", "LAST EXIT");
        foreach (var container in instance.InitContainers ?? [])
        {
            Add(table, container, " (init)");
        }

        foreach (var container in instance.Containers)
        {
            Add(table, container, "");
        }

        to.Table(table);
        foreach (var container in (IEnumerable<ContainerStatus>)[.. instance.InitContainers ?? [], .. instance.Containers])
        {
            to.Field("Image digest", container.ImageDigest is { } digest ? $"{container.Name} {digest}" : null, 2);
        }
    }

    private static void Add(TableView table, ContainerStatus container, string suffix)
    {
        var state = container.State switch
        {
            ContainerState.Running => Tone.Good,
            ContainerState.Terminated => Tone.Normal,
            _ => Tone.Warning,
        };
        table.Add(
            container.Name + suffix,
            container is { State: ContainerState.Running, Ready: false } ? new Cell("Running, not ready", Tone.Warning) : new Cell(container.State.ToString(), state),
            $"{container.RestartCount}",
            container.StartedAt is { } started ? Durations.Absolute(started) : "-",
            container.LastExit is { } exit ? ExitText(exit) : "-");
    }

    private static string ProbeText(Probe probe)
    {
        var kind = probe switch
        {
            { Exec: { } exec } => $"exec {string.Join(' ', exec.Command)}",
            { HttpGet: { } get } => $"{get.Scheme} {get.Port}{get.Path ?? "/"}",
            { TcpSocket: { } socket } => $"TCP {socket.Port}",
            { Grpc: { } grpc } => $"gRPC {grpc.Port}{(grpc.Service is null ? "" : $" {grpc.Service}")}",
            _ => "-",
        };
        return $"{kind}, every {probe.PeriodSeconds ?? 10} s, within {probe.TimeoutSeconds ?? 1} s, {probe.FailureThreshold ?? 3} failures count";
    }

    private static string HookText(LifecycleHandler hook) => hook switch
    {
        { Exec: { } exec } => $"exec {string.Join(' ', exec.Command)}",
        { HttpGet: { } get } => $"{get.Scheme} {get.Port}{get.Path ?? "/"}",
        _ => $"sleep {hook.Sleep?.Seconds} s",
    };

    private static string? SecurityText(SecurityContext security)
    {
        string?[] parts =
        [
            security.Privileged ? "privileged" : null,
            security.RunAsUser is { } user ? $"user {user}" : null,
            security.RunAsGroup is { } group ? $"group {group}" : null,
            security.RunAsNonRoot == true ? "not as root" : null,
            security.ReadOnlyRootFilesystem ? "read-only root" : null,
            security.AllowPrivilegeEscalation == false ? "no privilege escalation" : null,
            security.Capabilities?.Drop is { Count: > 0 } drop ? $"without {string.Join(' ', drop)}" : null,
            security.Capabilities?.Add is { Count: > 0 } add ? $"with {string.Join(' ', add)}" : null,
            security.SeccompProfile is { } seccomp ? $"seccomp {seccomp.Type}" : null,
        ];
        return parts.Any(part => part is not null) ? string.Join(", ", parts.Where(part => part is not null)) : null;
    }

    public static string ExitText(ContainerExit exit) =>
        $"{exit.Reason}, {(exit.Signal is null ? $"code {exit.Code}" : $"{exit.Signal} (code {exit.Code})")}" +
        (exit.FinishedAt is { } at ? $", {Durations.Absolute(at)}" : "") +
        (exit.Message is { Length: > 0 } message ? $": {message}" : "");

    public static string PortText(ContainerPort port) =>
        (port.Name is null ? "" : $"{port.Name} ") + $"{port.Port}/{port.Protocol}" + (port.HostPort is { } published ? $" as {(port.HostAddress() is { } address ? address + ":" : "")}{published} on the node" : "");

    private static string VariableText(EnvVar variable) =>
        variable.ValueFrom?.SecretKeyRef is { } secret ? $"{variable.Name} from Secret {secret.Name}/{secret.Key}"
        : variable.ValueFrom?.ConfigKeyRef is { } config ? $"{variable.Name} from Config {config.Name}/{config.Key}"
        : $"{variable.Name}={variable.Value}";
}
