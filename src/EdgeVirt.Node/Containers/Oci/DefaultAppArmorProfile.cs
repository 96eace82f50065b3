using System.Text;
using EdgeVirt.Linux;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// The agent's own AppArmor profile, <c>RuntimeDefault</c>. The kernel forgets it with each boot, so it is loaded when a container first needs
/// it. What it forbids is what a container has no business with even where its capabilities would do: mounts, the kernel's switches
/// below /proc and /sys, and processes of others.
/// </summary>
/// <param name="isLoaded">Whether the kernel has a profile of that name; null: it cannot be told.</param>
/// <param name="load">Hands the kernel a profile's text.</param>
/// <param name="log">Told once of each problem.</param>
internal sealed partial class DefaultAppArmorProfile(Func<string, bool?> isLoaded, Func<string, CancellationToken, Task> load, ILogger log)
{
    /// <summary>Changes with the text: containers that run keep the one that they were started with.</summary>
    public const string Name = "edgevirt-default-1";

    /// <summary>As apparmor_parser(8) reads it. It includes no other file, so that it means the same on every node.</summary>
    public const string Text = $$"""
        profile {{Name}} flags=(attach_disconnected,mediate_deleted) {
          capability,
          file,
          network,
          unix,
          umount,

          deny mount,
          deny /proc/sys/** wklx,
          deny /proc/{sysrq-trigger,kcore,kmem,mem} rwklx,
          deny /proc/{acpi,bus,fs,irq,scsi}/** wklx,
          deny /sys/** wklx,
          deny /sys/{firmware,kernel/security}/** rwklx,

          # Who stops containers; some systems have profiles for the runtimes.
          signal (receive) peer=unconfined,
          signal (receive) peer=crun,
          signal (receive) peer=runc,
          signal (send,receive) peer={{Name}},
          ptrace (trace,read,tracedby,readby) peer={{Name}},
        }

        """;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private volatile bool isThere;

    /// <summary>By apparmor_parser, and as the kernel says.</summary>
    public DefaultAppArmorProfile(ILogger log)
        : this(ProcessSecurity.HasAppArmorProfile, LoadAsync, log)
    {
    }

    /// <summary>Why it could not be loaded when it was needed last; null: it could, or nobody needed it.</summary>
    public string? Problem { get; private set; }

    /// <summary>Sees to it that the kernel has the profile; false: it cannot, <see cref="Problem"/> says why.</summary>
    public async Task<bool> EnsureAsync(CancellationToken ct)
    {
        // Where the kernel tells, it is believed: somebody may have unloaded it.
        if (isLoaded(Name) ?? isThere)
        {
            return isThere = true;
        }

        try
        {
            // Two that come at the same time load the same.
            await load(Text, ct);
            (isThere, Problem) = (true, null);
            LogLoaded(log, Name);
        }
        catch (ProcessFailedException e)
        {
            // Containers run without it, as they do where the kernel has none: seccomp and capabilities hold all the same.
            if (Problem != e.Message)
            {
                LogNotLoaded(log, Name, e.Message);
            }

            Problem = e.Message;
        }

        return isThere;
    }

    private static Task LoadAsync(string text, CancellationToken ct) =>
        ProcessRunner.RunAsync("apparmor_parser", ["--replace", "--skip-cache"], Timeout, Encoding.UTF8.GetBytes(text), ct);

    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded the AppArmor profile {Name}")]
    private static partial void LogLoaded(ILogger log, string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Containers run without the AppArmor profile {Name}, although the kernel has AppArmor: {Problem}")]
    private static partial void LogNotLoaded(ILogger log, string name, string problem);
}
