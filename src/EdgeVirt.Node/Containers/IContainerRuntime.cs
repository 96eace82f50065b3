using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Containers;

/// <summary>All that is needed to begin a run. Holds Secrets: never log it.</summary>
/// <param name="Record">Already written.</param>
/// <param name="Durable">Completes when the record is durable; the container's program must not run before.</param>
/// <param name="Spec">The container.</param>
/// <param name="Target">Its workload.</param>
/// <param name="Sandbox">Already made.</param>
/// <param name="Image">On the node.</param>
/// <param name="Environment">Resolved values of the spec's variables.</param>
internal sealed record ContainerStart(
    ContainerRecord Record,
    Task Durable,
    ContainerSpec Spec,
    WorkloadTarget Target,
    SandboxRecord Sandbox,
    StoredImage Image,
    IReadOnlyList<KeyValuePair<string, string>> Environment);

/// <summary>A sandbox or container could not be made. The message is for the operator.</summary>
internal sealed class StartFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Runs containers. What it makes outlives the agent; a record for it lies on disk before it is called.
/// All operations can be repeated, and those on different workloads may run at the same time.
/// </summary>
internal interface IContainerRuntime
{
    /// <summary>Name and version, e.g. <c>runc 1.1.5</c>.</summary>
    string Version { get; }

    /// <summary>What cannot be enforced here, in the words of <see cref="Oci.Enforcement"/>.</summary>
    IReadOnlyList<string> MissingControllers { get; }

    /// <summary>Highest real-time priority that the node allows; 0: none.</summary>
    int MaxRealtimePriority => 0;

    /// <summary>Whether the system calls of containers can be filtered here.</summary>
    bool HasSeccomp { get; }

    /// <summary>Whether containers can be confined by AppArmor here.</summary>
    bool HasAppArmor => true;

    /// <summary>Why the agent's own AppArmor profile could not be loaded; null: it could, or nobody needed it yet.</summary>
    string? DefaultAppArmorProblem => null;

    /// <summary>What a workload wants of this node and cannot have now; null: nothing.</summary>
    WorkloadProblem? ProblemOf(PodSpec template) => null;

    /// <summary>Raised with a container's id when it ended, on any thread.</summary>
    event Action<string>? Ended;

    /// <summary>
    /// Called once, before anything else: takes over what the records say, and removes what is ours but has no record.
    /// </summary>
    Task RecoverAsync(CancellationToken ct);

    /// <summary>Whether a recorded sandbox is still there.</summary>
    bool IsUsable(SandboxRecord sandbox);

    /// <summary>Chooses an address; none with hostNetwork. It is taken until <see cref="RemoveSandboxAsync"/>.</summary>
    /// <exception cref="StartFailedException">A port is published by another workload, or no address is left.</exception>
    SandboxRecord Allocate(SandboxRecord sandbox);

    /// <summary>Makes network and volumes.</summary>
    /// <exception cref="StartFailedException">It could not.</exception>
    Task CreateSandboxAsync(SandboxRecord sandbox, WorkloadTarget target, CancellationToken ct);

    /// <summary>
    /// Has the published ports of <paramref name="to"/> lead there instead of to <paramref name="from"/>, all at one moment: no
    /// connection is refused, and those that are open stay where they are.
    /// </summary>
    /// <param name="from">Both are made, and of the same workload.</param>
    /// <param name="to">With the ports that it is to publish; <paramref name="from"/> has none afterwards.</param>
    /// <param name="ct">Before it began.</param>
    /// <exception cref="StartFailedException">It could not; nothing has changed.</exception>
    Task MovePortsAsync(SandboxRecord from, SandboxRecord to, CancellationToken ct);

    /// <summary>Brings the files made of Secrets and Configs up to date, under running containers too.</summary>
    /// <exception cref="StartFailedException">One is missing; its files stay as they are.</exception>
    void RefreshFiles(SandboxRecord sandbox, WorkloadTarget target)
    {
    }

    /// <summary>Frees network and volumes; emptyDirs only with <paramref name="emptyDirs"/>, persistent volumes never.</summary>
    Task RemoveSandboxAsync(SandboxRecord sandbox, bool emptyDirs, CancellationToken ct);

    /// <summary>Begins a run; gives when it began.</summary>
    /// <exception cref="StartFailedException">It could not; nothing runs.</exception>
    Task<DateTimeOffset> StartAsync(ContainerStart start, CancellationToken ct);

    /// <summary>Does something to a run that goes on. What fails is an answer, not an exception.</summary>
    Task<ActionAnswer> ActAsync(ContainerRecord container, ContainerAction action, TimeSpan timeout, CancellationToken ct);

    /// <summary>How a run ended; null: it still runs.</summary>
    ContainerExit? ExitOf(ContainerRecord container);

    /// <summary>Whether the run's own program is there still; <see cref="ExitOf"/> may follow a moment after its end.</summary>
    bool IsRunning(ContainerRecord container) => ExitOf(container) is null;

    /// <summary>Asks it to end, and ends it after <paramref name="grace"/>. Completes when it has ended.</summary>
    Task StopAsync(ContainerRecord container, TimeSpan grace, CancellationToken ct);

    /// <summary>Ends all that runs in a sandbox at once; it is made anew, with empty emptyDirs, before anything runs in it again.</summary>
    /// <param name="sandbox">Whose.</param>
    /// <param name="why">For the operator.</param>
    /// <param name="ct">Gives up; what was killed stays killed.</param>
    /// <returns>Completes when what it wrote is gone.</returns>
    Task EvictAsync(SandboxRecord sandbox, string why, CancellationToken ct);

    /// <summary>Frees all that a run has on the node but its record and log.</summary>
    Task ReleaseAsync(ContainerRecord container, CancellationToken ct);
}
