using System.Text.Json.Serialization;

namespace EdgeVirt.Node.Containers.Oci;

// The part of config.json (OCI runtime specification 1.0.2, config.md and config-linux.md) that the agent writes.

internal sealed record RuntimeSpec
{
    public string OciVersion { get; init; } = "1.0.2";

    public required SpecProcess Process { get; init; }

    public required SpecRoot Root { get; init; }

    public required string Hostname { get; init; }

    public required IReadOnlyList<SpecMount> Mounts { get; init; }

    public required IReadOnlyDictionary<string, string> Annotations { get; init; }

    public required SpecLinux Linux { get; init; }
}

internal sealed record SpecProcess
{
    public bool Terminal { get; init; }

    public required SpecUser User { get; init; }

    public required IReadOnlyList<string> Args { get; init; }

    public required IReadOnlyList<string> Env { get; init; }

    public required string Cwd { get; init; }

    public required SpecCapabilities Capabilities { get; init; }

    public bool NoNewPrivileges { get; init; }

    public IReadOnlyList<SpecRlimit>? Rlimits { get; init; }

    public string? ApparmorProfile { get; init; }
}

internal sealed record SpecRlimit(string Type, ulong Soft, ulong Hard);

internal sealed record SpecUser(uint Uid, uint Gid, IReadOnlyList<uint> AdditionalGids);

internal sealed record SpecCapabilities(IReadOnlyList<string> Bounding, IReadOnlyList<string> Effective, IReadOnlyList<string> Permitted);

internal sealed record SpecRoot(string Path, bool Readonly);

internal sealed record SpecMount(string Destination, string Type, string Source, IReadOnlyList<string> Options);

internal sealed record SpecLinux
{
    public required IReadOnlyList<SpecNamespace> Namespaces { get; init; }

    /// <summary>With a user namespace alone.</summary>
    public IReadOnlyList<SpecIdMapping>? UidMappings { get; init; }

    public IReadOnlyList<SpecIdMapping>? GidMappings { get; init; }

    public required string CgroupsPath { get; init; }

    public required SpecResources Resources { get; init; }

    public required IReadOnlyList<string> MaskedPaths { get; init; }

    public required IReadOnlyList<string> ReadonlyPaths { get; init; }

    public SpecSeccomp? Seccomp { get; init; }

    public IReadOnlyList<SpecDeviceNode>? Devices { get; init; }
}

internal sealed record SpecSeccomp
{
    public required string DefaultAction { get; init; }

    public uint DefaultErrnoRet { get; init; }

    public required IReadOnlyList<string> Architectures { get; init; }

    public required IReadOnlyList<SpecSyscalls> Syscalls { get; init; }
}

internal sealed record SpecSyscalls(IReadOnlyList<string> Names, string Action, uint? ErrnoRet = null, IReadOnlyList<SpecSyscallArg>? Args = null);

internal sealed record SpecSyscallArg(uint Index, ulong Value, ulong ValueTwo, string Op);

internal sealed record SpecIdMapping(
    [property: JsonPropertyName("containerID")] uint ContainerId, [property: JsonPropertyName("hostID")] uint HostId, uint Size);

internal sealed record SpecNamespace(string Type, string? Path = null);

internal sealed record SpecResources
{
    public required IReadOnlyList<SpecDevice> Devices { get; init; }

    public SpecCpu? Cpu { get; init; }

    public SpecMemory? Memory { get; init; }

    public SpecPids? Pids { get; init; }

    public IReadOnlyList<SpecHugepageLimit>? HugepageLimits { get; init; }

    /// <summary>Version 1 of control groups alone; in version 2 it is said in <see cref="Unified"/>.</summary>
    public SpecBlockIO? BlockIO { get; init; }

    /// <summary>Files of a control group of version 2 and what is written to them.</summary>
    public IReadOnlyDictionary<string, string>? Unified { get; init; }
}

/// <summary>A rule; without a type it is for all devices.</summary>
internal sealed record SpecDevice(bool Allow, string Access, string? Type = null, long? Major = null, long? Minor = null);

/// <summary>A node that the runtime makes in the container's /dev.</summary>
internal sealed record SpecDeviceNode(string Path, string Type, long Major, long Minor, uint FileMode, uint Uid, uint Gid);

internal sealed record SpecCpu(ulong Shares, long? Quota = null, ulong? Period = null)
{
    public string? Cpus { get; init; }

    public long? RealtimeRuntime { get; init; }

    public ulong? RealtimePeriod { get; init; }
}

internal sealed record SpecHugepageLimit(string PageSize, ulong Limit);

internal sealed record SpecBlockIO
{
    public IReadOnlyList<SpecThrottle>? ThrottleReadBpsDevice { get; init; }

    public IReadOnlyList<SpecThrottle>? ThrottleWriteBpsDevice { get; init; }

    public IReadOnlyList<SpecThrottle>? ThrottleReadIOPSDevice { get; init; }

    public IReadOnlyList<SpecThrottle>? ThrottleWriteIOPSDevice { get; init; }
}

internal sealed record SpecThrottle(uint Major, uint Minor, ulong Rate);

internal sealed record SpecMemory(long Limit);

internal sealed record SpecPids(long Limit);

/// <summary>What conmon says through its pipe when the runtime's <c>create</c> is done.</summary>
internal sealed record ConmonReport
{
    /// <summary>Process id of the container, negative: it failed.</summary>
    public int Data { get; init; }

    public string? Message { get; init; }
}

/// <summary>A line of the runtime's log.</summary>
internal sealed record RuntimeLogLine
{
    public string? Level { get; init; }

    public string? Msg { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RuntimeSpec))]
[JsonSerializable(typeof(ConmonReport))]
[JsonSerializable(typeof(RuntimeLogLine))]
internal sealed partial class RuntimeSpecJson : JsonSerializerContext;
