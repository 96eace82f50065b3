using System.Text.Json.Serialization;

namespace EdgeVirt.Contracts.Resources;

/// <summary>One container.</summary>
public sealed record ContainerSpec
{
    /// <summary>DNS label, unique within the workload.</summary>
    public required string Name { get; init; }

    /// <summary>Registry reference by tag or digest, or <c>oci:/path/of/layout[:tag]</c>.</summary>
    public required string Image { get; init; }

    /// <summary>When the registry is asked.</summary>
    public ImagePullPolicy ImagePullPolicy { get; init; }

    /// <summary>Replaces the image's entrypoint.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Replaces the image's command.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>Absolute path; absent: the image's.</summary>
    public string? WorkingDir { get; init; }

    /// <summary>Environment, later entries win over the image's.</summary>
    public IReadOnlyList<EnvVar>? Env { get; init; }

    /// <summary>Ports that listen, and on which node port they are published.</summary>
    public IReadOnlyList<ContainerPort>? Ports { get; init; }

    /// <summary>Limits.</summary>
    public ResourceRequirements? Resources { get; init; }

    /// <summary>Where the workload's volumes appear.</summary>
    public IReadOnlyList<VolumeMount>? VolumeMounts { get; init; }

    /// <summary>Devices of the node that it gets; while one is missing, the workload waits.</summary>
    public IReadOnlyList<DeviceSpec>? Devices { get; init; }

    /// <summary>Whether it has started; until it succeeds the other two wait, and once it fails the container is restarted.</summary>
    public Probe? StartupProbe { get; init; }

    /// <summary>Whether it is ready; decides the instance's condition Ready.</summary>
    public Probe? ReadinessProbe { get; init; }

    /// <summary>Whether it still works; once it fails the container is restarted.</summary>
    public Probe? LivenessProbe { get; init; }

    /// <summary>What is done at the turns of its life.</summary>
    public Lifecycle? Lifecycle { get; init; }

    /// <summary>Whether its main program has an input that <c>attach</c> reaches; absent: it reads nothing.</summary>
    public bool? Stdin { get; init; }

    /// <summary>Whether its main program has a terminal, on which output and errors are one.</summary>
    public bool? Tty { get; init; }

    /// <summary>What it may do on the node.</summary>
    public SecurityContext? SecurityContext { get; init; }
}

/// <summary>When an image is looked up at its registry.</summary>
public enum ImagePullPolicy
{
    /// <summary>Only if the node does not have it; the default.</summary>
    IfNotPresent,

    /// <summary>At each start of the workload; with the registry out of reach, the image at hand is used.</summary>
    Always,

    /// <summary>Not at all: the image must be on the node.</summary>
    Never,
}

/// <summary>One environment variable: a value, or where it comes from.</summary>
public sealed record EnvVar
{
    /// <summary>A C identifier.</summary>
    public required string Name { get; init; }

    /// <summary>The value itself.</summary>
    public string? Value { get; init; }

    /// <summary>Where the value comes from.</summary>
    public EnvVarSource? ValueFrom { get; init; }
}

/// <summary>Exactly one of the two.</summary>
public sealed record EnvVarSource
{
    /// <summary>A key of a Secret.</summary>
    public KeyRef? SecretKeyRef { get; init; }

    /// <summary>A key of a Config.</summary>
    public KeyRef? ConfigKeyRef { get; init; }
}

/// <summary>One key of a Secret or Config.</summary>
public sealed record KeyRef
{
    /// <summary>The resource's name.</summary>
    public required string Name { get; init; }

    /// <summary>The key in its data.</summary>
    public required string Key { get; init; }

    /// <summary>Whether the variable is simply left out where there is no such key.</summary>
    public bool Optional { get; init; }
}

/// <summary>Transport protocols that can be published.</summary>
public enum PortProtocol
{
    /// <summary>TCP.</summary>
    TCP,

    /// <summary>UDP.</summary>
    UDP,
}

/// <summary>A port in the workload's network, and where the node publishes it.</summary>
public sealed record ContainerPort
{
    /// <summary>For people.</summary>
    public string? Name { get; init; }

    /// <summary>1 to 65535.</summary>
    [JsonPropertyName("containerPort")]
    public required int Port { get; init; }

    /// <summary>The node's port; absent: not published.</summary>
    public int? HostPort { get; init; }

    /// <summary>The node's IPv4 address on which it is published; absent or 0.0.0.0: all that it has, and gets.</summary>
    public string? HostIP { get; init; }

    /// <summary>TCP unless said otherwise.</summary>
    public PortProtocol Protocol { get; init; }

    /// <summary><see cref="HostIP"/>, null where it means every address.</summary>
    public string? HostAddress() => HostIP is "0.0.0.0" ? null : HostIP;
}
