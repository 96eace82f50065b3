using System.Globalization;
using EdgeVirt.Linux;
using EdgeVirt.Node.Networks;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What happens once at start: adopt what runs, remove what is ours and nobody's.</summary>
internal sealed partial class OciRuntime
{
    public async Task RecoverAsync(CancellationToken ct)
    {
        MakeDirectories();
        watcher = new FileSystemWatcher(directories.Exits) { NotifyFilter = NotifyFilters.FileName };
        watcher.Created += OnExitFile;
        watcher.Renamed += OnExitFile;
        watcher.EnableRaisingEvents = true;
        check = time.CreateTimer(_ => CheckRuns(), null, CheckInterval, CheckInterval);

        var conmons = Conmon.Find(directories.Bundles);
        foreach (var container in records.Containers.Where(container => !container.Retired))
        {
            await AdoptAsync(container, conmons.GetValueOrDefault(container.Id), ct);
        }

        await RemoveLeftoversAsync(conmons, ct);
        parts.Logs.Recover();
        await RecoverNetworkAsync(ct);
        await ReadVersionAsync(ct);
    }

    private void MakeDirectories()
    {
        foreach (var path in (string[])[directories.NetworkNamespaces, directories.UserNamespaces])
        {
            Directory.CreateDirectory(path);
        }

        foreach (var path in (string[])[directories.Containers, directories.Sandboxes, directories.Volumes])
        {
            Directory.CreateDirectory(path, OwnerOnly);
            File.SetUnixFileMode(path, path == directories.Containers ? Passage : OwnerOnly);
        }

        Directory.CreateDirectory(directories.Private, OwnerOnly);
        if (!Mounts.IsMounted(Path.GetFullPath(directories.Private)))
        {
            Mounts.Mount("edgevirt", directories.Private, "tmpfs", MountFlags.NoSuid | MountFlags.NoDev, "mode=0700,size=25%");
        }

        Directory.CreateDirectory(directories.Exits, OwnerOnly);
        Directory.CreateDirectory(directories.SandboxMarks, OwnerOnly);
        Directory.CreateDirectory(directories.Evictions, OwnerOnly);
        Directory.CreateDirectory(directories.Bundles, OwnerOnly);
        Directory.CreateDirectory(directories.RuntimeState, OwnerOnly);
    }

    private async Task AdoptAsync(ContainerRecord container, ProcessIdentity? conmon, CancellationToken ct)
    {
        // The runtime's fifo is there as long as nobody said start.
        var isWaiting = File.Exists(Path.Combine(directories.RuntimeState, container.Id, "exec.fifo"));
        if (!isWaiting && RunningPid(container.Id) is { } pid && Processes.Identify(pid) is { } init)
        {
            Follow(container.Id, init, conmon);
            EndCommands(container.Id);
            LogAdopted(container.Id, pid);
            return;
        }

        if (container.Exit is null && container.StartedAt is null && !File.Exists(directories.Exit(container.Id)))
        {
            // The agent ended between the record and the start, perhaps before network or record were complete: as if it had never been.
            await ReleaseAsync(container, ct);
            records.RemoveContainer(container.Id);
            LogRemoved("half-made container", container.Id);
        }
    }

    private int? RunningPid(string id)
    {
        var path = directories.PidFile(id);
        return File.Exists(path) && int.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out var pid) &&
            Processes.IsInCgroup(pid, directories.Cgroup(id))
                ? pid
                : null;
    }

    private async Task RemoveLeftoversAsync(IReadOnlyDictionary<string, ProcessIdentity> conmons, CancellationToken ct)
    {
        bool IsWanted(string id) => records.FindContainer(id) is { Retired: false };

        IEnumerable<string> candidates =
        [
            .. conmons.Keys, .. NamesIn(directories.RuntimeState), .. NamesIn(directories.Bundles), .. NamesIn(directories.Containers), .. NamesIn(directories.Exits),
        ];
        foreach (var id in candidates.Distinct().Where(id => !IsWanted(id)).ToList())
        {
            var record = records.FindContainer(id);
            var isLeft = record is null || conmons.ContainsKey(id) || Directory.Exists(directories.Bundle(id)) || Directory.Exists(directories.Root(id)) || File.Exists(directories.Exit(id));
            if (!isLeft)
            {
                continue;
            }

            if (conmons.TryGetValue(id, out var conmon))
            {
                Processes.Signal(conmon, Signals.Kill);
            }

            await ReleaseAsync(record ?? Unknown(id), ct);
            if (record is null)
            {
                DeleteTree(directories.Container(id));
            }

            LogRemoved("container", id);
        }

        foreach (var id in NamesIn(directories.SandboxMarks).Where(id => records.FindSandbox(id) is null))
        {
            File.Delete(directories.SandboxMark(id));
        }

        foreach (var directory in (string[])[directories.Sandboxes, directories.Volumes, Path.GetDirectoryName(directories.SecretVolumes("x"))!])
        {
            foreach (var id in NamesIn(directory).Where(id => records.FindSandbox(id) is null))
            {
                Mounts.UnmountBelow(Path.Combine(directory, id), detach: true);
                DeleteTree(Path.Combine(directory, id));
                LogRemoved("directory", id);
            }
        }

        foreach (var id in NamesIn(directories.NetworkNamespaces).Where(id => records.FindSandbox(id) is null))
        {
            NetworkNamespaces.Delete(directories.NetworkNamespace(id));
            LogRemoved("network namespace", id);
        }

        foreach (var id in NamesIn(directories.UserNamespaces).Where(id => records.FindSandbox(id)?.FirstHostId is null))
        {
            NetworkNamespaces.Delete(directories.UserNamespace(id));
            LogRemoved("user namespace", id);
        }

        RemoveEmptyCgroups();
    }

    private async Task RecoverNetworkAsync(CancellationToken ct)
    {
        var held = Mounts.List().Where(mount => mount.Type == "nsfs").Select(mount => mount.Target).ToHashSet();
        var attachments = new List<Attachment>();
        // Where the agent ended between record and effect of a hand-over two have the same ports: they are the later one's.
        foreach (var sandbox in records.Sandboxes.OrderByDescending(sandbox => sandbox.Turn))
        {
            var isComplete = File.Exists(directories.SandboxMark(sandbox.Id));
            if (AttachmentOf(sandbox) is { } attachment)
            {
                network.Take(attachment.Address);
                network.Reserve(sandbox.Id, attachment.Forwards);
                isComplete &= held.Contains(Path.GetFullPath(attachment.NamespacePath));
                if (attachment.Users is { } users)
                {
                    ids.Take(users.FirstHostId);
                    isComplete &= held.Contains(Path.GetFullPath(users.Path));
                }

                if (isComplete)
                {
                    attachments.Add(attachment);
                }
            }

            usable[sandbox.Id] = isComplete;
        }

        await network.RecoverAsync(attachments, ct);
    }

    private async Task ReadVersionAsync(CancellationToken ct)
    {
        try
        {
            var said = (await ProcessRunner.RunAsync(Binary.Runtime, ["--version"], ToolTimeout, ct: ct)).Output;
            Version = RuntimeBinary.ParseVersion(said);
            runtimeHasSeccomp = RuntimeFeatures.SaysSeccomp(said);
        }
        catch (Exception e) when (e is StartFailedException or ProcessFailedException)
        {
            // The node still serves; every workload says in its condition what is missing.
            LogNoRuntime(e.Message);
        }
    }

    private void OnExitFile(object sender, FileSystemEventArgs e)
    {
        // conmon writes beside it under another name first.
        if (e.Name is { } id && records.FindContainer(id) is not null)
        {
            Ended?.Invoke(id);
        }
    }

    // Finds containers whose conmon was killed: nobody writes an exit file for them.
    private void CheckRuns()
    {
        foreach (var (id, run) in runs)
        {
            if (!Processes.IsAlive(run.Init) && records.FindContainer(id) is { Exit: null })
            {
                Ended?.Invoke(id);
            }
        }
    }

    // What begins with a dot is nobody's container: crun keeps its compiled seccomp filters in .cache beside its containers.
    private static List<string> NamesIn(string directory) => Directory.Exists(directory)
        ? [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path)).Where(name => !name.StartsWith('.'))]
        : [];

    private static ContainerRecord Unknown(string id) => new()
    {
        Id = id, SandboxId = "", Workload = "", Uid = "", Container = "", Attempt = 0, Hash = "", ImageDigest = "",
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "Adopted container {Id}, process {Pid}")]
    private partial void LogAdopted(string id, int pid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Removed {What} {Id}: nothing is recorded that needs it")]
    private partial void LogRemoved(string what, string id);

    [LoggerMessage(Level = LogLevel.Error, Message = "No container can be run: {Problem}")]
    private partial void LogNoRuntime(string problem);
}
