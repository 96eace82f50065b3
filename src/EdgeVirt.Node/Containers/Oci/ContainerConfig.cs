using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Devices;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>Turns a container's spec and image into the runtime's config. Pure but for reading users from the image.</summary>
internal static class ContainerConfig
{
    public const string OwnerAnnotation = "io.edgevirt.node";

    /// <summary>Whether its main program has an input.</summary>
    public const string StdinAnnotation = "io.edgevirt.stdin";

    private const string DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <param name="start">What is to run.</param>
    /// <param name="directories">Where its files are.</param>
    /// <param name="root">Its file system, mounted: users are looked up in it.</param>
    /// <param name="features">What cannot be enforced here is left out.</param>
    /// <param name="pathOf">Where on the node lies what a mount of a volume shows.</param>
    /// <param name="devices">Devices of the node that it gets.</param>
    /// <exception cref="StartFailedException">There is nothing to run, or it may not run as it would.</exception>
    public static RuntimeSpec Make(ContainerStart start, NodeDirectories directories, string root, RuntimeFeatures features, Func<VolumeSpec, VolumeMount, string> pathOf,
        IReadOnlyList<(FoundDevice Device, string Permissions)> devices)
    {
        var (spec, image) = (start.Spec, start.Image.Config);
        var security = ContainerSecurity.Of(spec.SecurityContext, start.Target.Template.SecurityContext, image.User, root, features);
        var user = security.User;
        var ids = OwnIds.Of(start.Sandbox, user);
        return new RuntimeSpec
        {
            Process = new SpecProcess
            {
                Terminal = spec.Tty == true,
                User = new SpecUser(user.Uid, user.Gid, user.Groups),
                Args = ArgsOf(spec, image.Entrypoint, image.Cmd),
                Env = EnvironmentOf(image.Env, start.Environment, start.Target.Workload.Name, user.Home, spec.Tty == true),
                Cwd = spec.WorkingDir ?? (string.IsNullOrEmpty(image.WorkingDir) ? "/" : image.WorkingDir),
                Capabilities = security.SpecCapabilities,
                NoNewPrivileges = security.NoNewPrivileges,
                ApparmorProfile = AppArmor.Require(AppArmor.ProfileOf(spec.SecurityContext, start.Target.Template.SecurityContext, features.DefaultAppArmorProfile), features, ProcessSecurity.HasAppArmorProfile),
                Rlimits = ResourceConfig.RlimitsOf(spec.Resources, features),
            },
            Root = new SpecRoot(root, security.ReadOnlyRoot),
            Hostname = start.Target.Workload.Name,
            Mounts = [.. security.Privileged ? PrivilegedMounts : SystemMounts, .. FileMounts(directories.Sandbox(start.Sandbox.Id)), .. VolumeMounts(start, pathOf)],
            Annotations = new Dictionary<string, string>
            {
                [OwnerAnnotation] = directories.CgroupParent,
                ["io.edgevirt.workload"] = start.Record.Workload,
                ["io.edgevirt.uid"] = start.Record.Uid,
                ["io.edgevirt.container"] = start.Record.Container,
                [StdinAnnotation] = spec.Stdin == true ? "true" : "false",
            },
            Linux = new SpecLinux
            {
                Namespaces = NamespacesOf(start.Sandbox, directories),
                UidMappings = ids,
                GidMappings = ids,
                CgroupsPath = directories.Cgroup(start.Record.Id),
                Resources = ResourceConfig.Make(spec.Resources, [new SpecDevice(security.Privileged, "rwm"), .. RulesOf(devices)], features),
                MaskedPaths = security.MaskedPaths,
                ReadonlyPaths = security.ReadOnlyPaths,
                Seccomp = security.Seccomp,
                // A privileged container sees the node's own /dev: nothing is to be made in it.
                Devices = devices.Count == 0 || security.Privileged ? null : [.. devices.Select(found => NodeOf(found.Device))],
            },
        };
    }

    private static IReadOnlyList<SpecMount> SystemMounts { get; } =
    [
        new("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
        new("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        new("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        new("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        new("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
        new("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
        new("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ];

    // The node's own devices, also those that come later; what lies in /sys may be changed.
    private static IReadOnlyList<SpecMount> PrivilegedMounts { get; } =
    [
        .. SystemMounts.Select(mount => mount.Destination == "/dev"
            ? new SpecMount("/dev", "bind", "/dev", ["rbind", "rprivate", "nosuid", "rw"])
            : mount with { Options = [.. mount.Options.Where(option => option != "ro")] }),
    ];

    // As in Kubernetes: command replaces both of the image's, args only its command.
    private static IReadOnlyList<string> ArgsOf(ContainerSpec spec, IReadOnlyList<string> entrypoint, IReadOnlyList<string> cmd)
    {
        IReadOnlyList<string> args = spec.Command is { Count: > 0 } command
            ? [.. command, .. spec.Args ?? []]
            : [.. entrypoint, .. spec.Args ?? cmd];
        return args.Count > 0 ? args : throw new StartFailedException("the image names no command; give the container a command");
    }

    private static IReadOnlyList<string> EnvironmentOf(
        IReadOnlyList<string> image, IReadOnlyList<KeyValuePair<string, string>> own, string hostname, string home, bool tty)
    {
        var names = own.Select(pair => pair.Key).ToHashSet();
        var kept = image.Where(entry => !names.Contains(NameOf(entry))).ToList();
        foreach (var name in kept.Select(NameOf))
        {
            names.Add(name);
        }

        string[] defaults = [DefaultPath, $"HOSTNAME={hostname}", $"HOME={home}", .. tty ? (string[])["TERM=xterm"] : []];
        return [.. defaults.Where(entry => !names.Contains(NameOf(entry))), .. kept, .. own.Select(pair => $"{pair.Key}={pair.Value}")];

        static string NameOf(string entry) => entry.Split('=', 2)[0];
    }

    private static SpecNamespace[] NamespacesOf(SandboxRecord sandbox, NodeDirectories directories)
    {
        SpecNamespace[] own = [new("pid"), new("ipc"), new("uts"), new("mount"), new("cgroup")];
        SpecNamespace[] users = directories.UserNamespaceOf(sandbox) is { } path ? [new("user", path)] : [];
        return sandbox.HostNetwork ? own : [.. users, .. own, new("network", directories.NetworkNamespace(sandbox.Id))];
    }

    private static IEnumerable<SpecDevice> RulesOf(IReadOnlyList<(FoundDevice Device, string Permissions)> devices) =>
        devices.Select(found => new SpecDevice(true, found.Permissions, TypeOf(found.Device), found.Device.Number.Major, found.Device.Number.Minor));

    private static SpecDeviceNode NodeOf(FoundDevice device) =>
        new(device.Path, TypeOf(device), device.Number.Major, device.Number.Minor, device.Mode, device.User, device.Group);

    private static string TypeOf(FoundDevice device) => device.IsBlock ? "b" : "c";

    private static IEnumerable<SpecMount> FileMounts(string sandbox) =>
        SandboxFiles.Names.Select(name => new SpecMount($"/etc/{name}", "bind", Path.Combine(sandbox, name), ["rbind", "rprivate", "rw"]));

    private static IEnumerable<SpecMount> VolumeMounts(ContainerStart start, Func<VolumeSpec, VolumeMount, string> pathOf)
    {
        var volumes = (start.Target.Template.Volumes ?? []).ToDictionary(volume => volume.Name);
        foreach (var mount in start.Spec.VolumeMounts ?? [])
        {
            var volume = volumes[mount.Name];
            // What is mapped is read-only already.
            var readOnly = start.Sandbox.FirstHostId is null && volume.IsReadOnlyAt(mount);
            yield return new SpecMount(mount.MountPath, "bind", pathOf(volume, mount), ["rbind", "rprivate", readOnly ? "ro" : "rw"]);
        }
    }
}
