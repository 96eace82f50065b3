using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Devices;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Networks;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What a sandbox is made of beside its files.</summary>
internal sealed record SandboxParts(NodeNetwork Network, WorkloadVolumes Volumes, ContainerMounts Mounts, HostPaths HostPaths, DeviceFinder Devices, LogRotation Logs);

/// <summary>
/// Runs containers by an OCI runtime under conmon. All that it knows it can find again: by the records, the pid file and
/// the control group of each container, and the names of mounts, namespaces and links.
/// </summary>
internal sealed partial class OciRuntime(
    NodeDirectories directories, RecordStore records, SandboxParts parts, QualityOfService qos, TimeProvider time, ILogger<OciRuntime> log)
    : IContainerRuntime, IDisposable
{
    private const int StartsAtOnce = 4;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passage = OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly TimeSpan ToolTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan KillTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan MonitorTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(5);

    private readonly NodeNetwork network = parts.Network;
    private readonly WorkloadVolumes volumes = parts.Volumes;
    private readonly WritableLayer writable = new(directories);
    private readonly Cgroups cgroups = qos.Cgroups;
    private readonly ConcurrentDictionary<string, Run> runs = new();
    private readonly ConcurrentDictionary<string, bool> usable = new();
    private readonly ConcurrentDictionary<string, Task> connecting = new();
    private readonly SemaphoreSlim starts = new(StartsAtOnce, StartsAtOnce);
    private RuntimeBinary? binary;
    private RuntimeFeatures? features;
    private bool runtimeHasSeccomp;
    private FileSystemWatcher? watcher;
    private ITimer? check;

    public event Action<string>? Ended;

    public string Version { get; private set; } = "none";

    public IReadOnlyList<string> MissingControllers { get; } = qos.MissingHere();

    public int MaxRealtimePriority => qos.MaxRealtimePriority;

    public bool HasAppArmor => ProcessSecurity.KernelHasAppArmor;

    public bool HasSeccomp => Features.HasSeccomp;

    private RuntimeFeatures Features => features ??= RuntimeFeatures.Here(MissingControllers, runtimeHasSeccomp) with
    {
        Layout = cgroups.Layout,
        Disk = qos.Disk,
        MaxRealtimePriority = qos.MaxRealtimePriority,
        HasAppArmor = HasAppArmor,
    };

    private RuntimeBinary Binary => binary ??= RuntimeBinary.Choose(cgroups.Layout);

    public bool IsUsable(SandboxRecord sandbox) => usable.GetValueOrDefault(sandbox.Id);

    public async Task<DateTimeOffset> StartAsync(ContainerStart start, CancellationToken ct)
    {
        var id = start.Record.Id;
        await starts.WaitAsync(ct);
        try
        {
            var here = await FeaturesForAsync(start, ct);
            await Task.Run(() => PrepareAsync(start, here, ct), ct);
            // From here on it is carried through: a cancelled agent leaves a container that runs, not half of one.
            var pid = await Task.Run(() => Conmon.Create(Binary, id, start.Spec, parts.Logs.Begin(start.Record), directories), CancellationToken.None);
            Track(id, pid);
            qos.Place(start, pid);
            await start.Durable;
            await ConnectedAsync(start.Sandbox.Id);
            await StartCreatedAsync(id);
            return time.GetUtcNow();
        }
        catch (Exception e) when (e is IOException or StartFailedException or UnauthorizedAccessException)
        {
            await ReleaseAsync(start.Record, CancellationToken.None);
            throw e as StartFailedException ?? new StartFailedException(e.Message, e);
        }
        finally
        {
            starts.Release();
        }
    }

    public ContainerExit? ExitOf(ContainerRecord container)
    {
        var run = runs.GetValueOrDefault(container.Id);
        if (run is not null && Processes.IsAlive(run.Init))
        {
            return null;
        }

        // conmon writes the file before it ends, so it is looked at after conmon.
        var reporting = run?.Conmon is { } conmon && Processes.IsAlive(conmon);
        var path = directories.Exit(container.Id);
        if (File.Exists(path) && int.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out var code))
        {
            return Explained(ExitWith(code, File.GetLastWriteTimeUtc(path), cgroups.OutOfMemoryKills(directories.Cgroup(container.Id)) > 0), container.Id);
        }

        return reporting
            ? null
            : new ContainerExit { Code = 255, Reason = "Lost", Message = "it ended while nobody watched: the node was switched off or conmon was killed", FinishedAt = time.GetUtcNow() };
    }

    public async Task StopAsync(ContainerRecord container, TimeSpan grace, CancellationToken ct)
    {
        if (runs.GetValueOrDefault(container.Id) is not { } run || !Processes.Signal(run.Init, container.StopSignal))
        {
            return;
        }

        if (!await EndsWithinAsync(container, grace, ct))
        {
            LogKilling(container.Id, grace.TotalSeconds);
            Processes.Signal(run.Init, Signals.Kill);
            if (!await EndsWithinAsync(container, KillTimeout, ct))
            {
                throw new IOException($"container {container.Id} does not end, not even by SIGKILL; it may wait for a disk that does not answer");
            }
        }
    }

    public async Task ReleaseAsync(ContainerRecord container, CancellationToken ct)
    {
        var id = container.Id;
        var conmon = runs.GetValueOrDefault(id)?.Conmon ??
            (Directory.Exists(directories.Bundle(id)) && !runs.ContainsKey(id) ? Conmon.Find(directories.Bundles).GetValueOrDefault(id) : null);
        if (Directory.Exists(Path.Combine(directories.RuntimeState, id)))
        {
            await ProcessRunner.RunAsync(Binary.Runtime, ["--root", directories.RuntimeState, "delete", "--force", id], ToolTimeout, ct: ct, check: false);
        }

        if (conmon is not null && Processes.Signal(conmon, Signals.Kill))
        {
            // Its control group can go only after it.
            await GoneWithinAsync(conmon, MonitorTimeout);
        }

        parts.Logs.End(container);
        while (Mounts.Unmount(directories.Root(id), detach: true))
        {
        }

        parts.Mounts.Remove(id);
        writable.Remove(id);
        DeleteTree(directories.Bundle(id));
        DeleteTree(directories.Root(id));

        File.Delete(directories.Exit(id));
        cgroups.Remove(directories.Cgroup(id));
        runs.TryRemove(id, out _);
    }

    public void Dispose()
    {
        check?.Dispose();
        watcher?.Dispose();
        starts.Dispose();
        evicting.Dispose();
        actions.Dispose();
        parts.Logs.Dispose();
    }

    internal static ContainerExit ExitWith(int code, DateTimeOffset finishedAt, bool outOfMemory) => new()
    {
        Code = code,
        Signal = code is > 128 and <= 128 + 64 ? Signals.NameOf(code - 128) : null,
        Reason = outOfMemory && code == 128 + Signals.Kill ? "OOMKilled" : code == 0 ? "Completed" : "Error",
        Message = outOfMemory && code == 128 + Signals.Kill ? "it needed more memory than its limit" : null,
        FinishedAt = finishedAt,
    };

    // The last one puts out the light; where another agent has groups, the upper one stays.
    private void RemoveEmptyCgroups()
    {
        if (runs.IsEmpty && starts.CurrentCount == StartsAtOnce)
        {
            cgroups.Remove(directories.CgroupOfMonitors);
            cgroups.Remove(directories.CgroupParent);
            cgroups.Remove(Path.GetDirectoryName(directories.CgroupParent)!);
        }
        else
        {
            qos.Settle();
        }
    }

    private async Task PrepareAsync(ContainerStart start, RuntimeFeatures here, CancellationToken ct)
    {
        var id = start.Record.Id;
        var root = directories.Root(id);
        Enclose(id, start.Sandbox);
        Directory.CreateDirectory(root);
        var (upper, work) = await writable.PrepareAsync(id, (long?)start.Spec.Resources?.Limits?.EphemeralStorage?.Value, ct);
        Directory.CreateDirectory(directories.Bundle(id), OwnerOnly);
        Directory.CreateDirectory(directories.RuntimeState, OwnerOnly);
        qos.Prepare(start);
        OwnUpper(upper, start.Sandbox);
        Overlay.Mount(start.Image.LayerDirectories, upper, work, root, LayerUsersOf(start));
        var spec = ContainerConfig.Make(start, directories, root, here, (volume, mount) => parts.Mounts.PathOf(start, volume, mount), DevicesOf(start.Spec));
        using var file = new FileStream(
            Path.Combine(directories.Bundle(id), "config.json"),
            new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerFile });
        JsonSerializer.Serialize(file, spec, RuntimeSpecJson.Default.RuntimeSpec);
    }

    private async Task ConnectAsync(Attachment attachment)
    {
        await network.ConnectAsync(attachment, CancellationToken.None);
        Mark(attachment.Id);
    }

    private void Mark(string sandboxId) => File.WriteAllBytes(directories.SandboxMark(sandboxId), []);

    private async Task ConnectedAsync(string sandboxId)
    {
        if (connecting.TryGetValue(sandboxId, out var connected))
        {
            try
            {
                await connected;
            }
            catch (IOException)
            {
                // To be made anew.
                usable[sandboxId] = false;
                throw;
            }
        }
    }

    private async Task StartCreatedAsync(string id)
    {
        try
        {
            await ProcessRunner.RunAsync(Binary.Runtime, ["--root", directories.RuntimeState, "start", id], ToolTimeout);
        }
        catch (ProcessFailedException e)
        {
            throw new StartFailedException(e.Message, e);
        }
    }

    private void Track(string id, int pid)
    {
        if (Processes.Identify(pid) is { } init)
        {
            var parent = Processes.ParentOf(pid);
            var conmon = parent is not null && Conmon.BundleOf(Processes.ArgumentsOf(parent.Pid)) is not null ? parent : null;
            Follow(id, init, conmon);
        }
    }

    private void Follow(string id, ProcessIdentity init, ProcessIdentity? conmon)
    {
        if (conmon is not null)
        {
            cgroups.Place(conmon.Pid, directories.CgroupOfMonitors);
        }

        runs[id] = new Run(init, conmon);
    }

    private async Task<bool> EndsWithinAsync(ContainerRecord container, TimeSpan limit, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        var wait = TimeSpan.FromMilliseconds(5);
        while (ExitOf(container) is null)
        {
            if (time.GetElapsedTime(began) > limit)
            {
                return false;
            }

            await Task.Delay(wait, time, ct);
            wait = wait < TimeSpan.FromMilliseconds(200) ? wait * 2 : wait;
        }

        return true;
    }

    private async Task GoneWithinAsync(ProcessIdentity process, TimeSpan limit)
    {
        var began = time.GetTimestamp();
        while (Processes.IsAlive(process) && time.GetElapsedTime(began) < limit)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2), time);
        }
    }

    private static string Taken(Forward taken, string by) => $"node port {taken} is published by {by} already; choose another hostPort";

    private static void DeleteTree(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static IReadOnlyList<Forward> ForwardsOf(SandboxRecord sandbox) =>
        [.. sandbox.Ports.Select(port => new Forward(port.Protocol == PortProtocol.UDP ? "udp" : "tcp", port.HostPort, sandbox.Address!, port.Port, port.HostAddress))];

    private Attachment? AttachmentOf(SandboxRecord sandbox) => sandbox.Address is { } address
        ? new Attachment(sandbox.Id, directories.NetworkNamespace(sandbox.Id), address, ForwardsOf(sandbox)) { Users = UsersOf(sandbox) }
        : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Container {Id} did not end within {Seconds} s and is killed")]
    private partial void LogKilling(string id, double seconds);

    private sealed record Run(ProcessIdentity Init, ProcessIdentity? Conmon);
}
