using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>What placement needs to know of a node.</summary>
internal sealed record FleetNode(string Name, IReadOnlyDictionary<string, string>? Labels, bool Unschedulable, bool Online)
{
    /// <summary>It has described itself; before that, nothing is known of its agent.</summary>
    public bool HasReported { get; init; }

    /// <summary>Kinds that its agent says it carries out.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>What its agent misses for virtual machines, and what to do; null: nothing that it says.</summary>
    public string? LacksForMachines { get; init; }

    public static FleetNode Of(Resource node)
    {
        var status = node.Status?.Deserialize(ContractsJson.Default.NodeStatus) ?? new NodeStatus();

        // Presence is the Ready condition that the hub keeps in the node's status.
        var online = status.Conditions.Any(condition => condition is { Type: ConditionTypes.Ready, Status: ConditionStatus.True });
        return new FleetNode(node.Metadata.Name, node.Metadata.Labels, node.SpecOf<NodeSpec>().Unschedulable, online)
        {
            HasReported = status.BootId is not null,
            Kinds = status.Kinds ?? [],
            LacksForMachines = status.Conditions.FirstOrDefault(condition => condition is { Type: ConditionTypes.RunsVirtualMachines, Status: ConditionStatus.False })?.Message,
        };
    }

    /// <summary>Whether its agent knows what to do with a kind; every one does with workloads.</summary>
    public bool CarriesOut(string kind) => kind == ResourceKind.Workload.Name || Kinds.Contains(kind);

    /// <summary>As one that does not carry out a kind.</summary>
    public UnfitNode UnfitFor(string kind) => new(Name, kind == ResourceKind.VirtualMachine.Name ? LacksForMachines : null);
}

/// <summary>Which resource, among those that are placed on nodes.</summary>
/// <param name="Kind">Name of its kind.</param>
/// <param name="Name">Its name.</param>
internal readonly record struct PlacedKey(string Kind, string Name)
{
    /// <summary>For people, e.g. <c>workload 'web'</c>.</summary>
    public override string ToString() => $"{PlacedKind.Of(Kind).Word} '{Name}'";
}

/// <summary>What placement and rendering need to know of a resource that is placed on nodes.</summary>
internal abstract record Placeable(PlacedKey Key, string Uid, long Generation, Placement? Placement)
{
    /// <summary>The resource's name.</summary>
    public string Name => Key.Name;

    /// <summary>When the resource was made; decides between two that come for the same port.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>Ports of the node that it publishes.</summary>
    public abstract IReadOnlySet<HostPort> HostPorts { get; }

    /// <summary>Names of the Secrets that it refers to.</summary>
    public abstract IReadOnlySet<string> Secrets { get; }

    /// <summary>Names of the Configs that it refers to.</summary>
    public abstract IReadOnlySet<string> Configs { get; }

    /// <summary>Those Secrets without which it does not run.</summary>
    public abstract IReadOnlySet<string> RequiredSecrets { get; }

    /// <summary>Those Configs without which it does not run.</summary>
    public abstract IReadOnlySet<string> RequiredConfigs { get; }

    /// <summary>Whether the node carries the labels that the placement asks for.</summary>
    public bool Matches(FleetNode node) => Labels.Match(Placement?.NodeSelector, node.Labels);

    /// <summary>Whether it may be placed on the node where it is not yet.</summary>
    public bool MayGoTo(FleetNode node) => !node.Unschedulable && node.CarriesOut(Key.Kind) && Matches(node);

    /// <summary>Whether nothing but the node's agent keeps it away, and that is known.</summary>
    public bool WaitsForAgentOf(FleetNode node) => node.HasReported && !node.Unschedulable && !node.CarriesOut(Key.Kind) && Matches(node);
}

/// <summary>A workload as the scheduler sees it.</summary>
internal sealed record FleetWorkload(string Name, string Uid, long Generation, WorkloadSpec Spec)
    : Placeable(new PlacedKey(ResourceKind.Workload.Name, Name), Uid, Generation, Spec.Placement)
{
    /// <inheritdoc/>
    public override IReadOnlySet<HostPort> HostPorts { get; } = HostPort.Of(Spec.Template);

    /// <inheritdoc/>
    public override IReadOnlySet<string> Secrets { get; } = Named(
        Spec.Template, env => env.SecretKeyRef?.Name, volume => volume.Secret?.SecretName, (Spec.Template.ImagePullSecrets ?? []).Select(secret => secret.Name));

    /// <inheritdoc/>
    public override IReadOnlySet<string> Configs { get; } = Named(Spec.Template, env => env.ConfigKeyRef?.Name, volume => volume.Config?.Name, []);

    /// <inheritdoc/>
    public override IReadOnlySet<string> RequiredSecrets { get; } = Named(
        Spec.Template,
        env => env.SecretKeyRef is { Optional: false } key ? key.Name : null,
        volume => volume.Secret is { Optional: false } secret ? secret.SecretName : null,
        (Spec.Template.ImagePullSecrets ?? []).Select(secret => secret.Name));

    /// <inheritdoc/>
    public override IReadOnlySet<string> RequiredConfigs { get; } = Named(
        Spec.Template, env => env.ConfigKeyRef is { Optional: false } key ? key.Name : null, volume => volume.Config is { Optional: false } config ? config.Name : null, []);

    public static FleetWorkload Of(Resource workload) => new(
        workload.Metadata.Name, workload.Metadata.Uid ?? "", workload.Metadata.Generation ?? 0, workload.SpecOf<WorkloadSpec>())
    {
        Created = workload.Metadata.CreationTimestamp ?? default,
    };

    private static SortedSet<string> Named(PodSpec pod, Func<EnvVarSource, string?> inEnv, Func<VolumeSpec, string?> inVolume, IEnumerable<string> elsewhere) => new(
        pod.AllContainers()
            .SelectMany(container => container.Env ?? [])
            .Select(env => env.ValueFrom is { } source ? inEnv(source) : null)
            .Concat((pod.Volumes ?? []).Select(inVolume))
            .OfType<string>()
            .Concat(elsewhere),
        StringComparer.Ordinal);
}

/// <summary>A virtual machine as the scheduler sees it.</summary>
internal sealed record FleetMachine(string Name, string Uid, long Generation, VirtualMachineSpec Spec)
    : Placeable(new PlacedKey(ResourceKind.VirtualMachine.Name, Name), Uid, Generation, Spec.Placement)
{
    /// <inheritdoc/>
    public override IReadOnlySet<HostPort> HostPorts { get; } = HostPort.Of(Spec);

    /// <inheritdoc/>
    public override IReadOnlySet<string> Secrets { get; } = new SortedSet<string>(
        NamedSecrets(Spec).Concat(TextsOf(Spec).Select(source => source.SecretKeyRef?.Name).OfType<string>()), StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IReadOnlySet<string> Configs { get; } = new SortedSet<string>(TextsOf(Spec).Select(source => source.ConfigKeyRef?.Name).OfType<string>(), StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IReadOnlySet<string> RequiredSecrets { get; } = new SortedSet<string>(
        NamedSecrets(Spec).Concat(TextsOf(Spec).Where(source => source.SecretKeyRef is { Optional: false }).Select(source => source.SecretKeyRef!.Name)), StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IReadOnlySet<string> RequiredConfigs { get; } = new SortedSet<string>(
        TextsOf(Spec).Where(source => source.ConfigKeyRef is { Optional: false }).Select(source => source.ConfigKeyRef!.Name), StringComparer.Ordinal);

    public static FleetMachine Of(Resource machine) => new(
        machine.Metadata.Name, machine.Metadata.Uid ?? "", machine.Metadata.Generation ?? 0, machine.SpecOf<VirtualMachineSpec>())
    {
        Created = machine.Metadata.CreationTimestamp ?? default,
    };

    private static IEnumerable<string> NamedSecrets(VirtualMachineSpec spec) =>
        (spec.ImagePullSecrets ?? []).Append(spec.CloudInit?.UserDataSecret).Append(spec.Ignition?.ConfigSecret).OfType<LocalObjectReference>().Select(secret => secret.Name);

    private static IEnumerable<EnvVarSource> TextsOf(VirtualMachineSpec spec) =>
        (spec.Smbios?.OemStrings ?? []).Concat(spec.FirmwareConfig ?? []).Select(text => text.ValueFrom).OfType<EnvVarSource>();
}
