using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace EdgeVirt.Linux;

/// <summary>User namespaces that outlive the process: each is held by a bind mount at a path, as <see cref="NetworkNamespaces"/> are.</summary>
public static class UserNamespaces
{
    // Says when it is in the namespaces, and stays until it is told to go.
    private const string Waiter = "echo in; read -r _";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Makes a user namespace held at <paramref name="path"/>, whose ids from 0 on are those of the machine from <paramref name="first"/> on,
    /// and an empty network namespace that belongs to it, held at <paramref name="networkPath"/>.
    /// </summary>
    /// <remarks>Only a process with a single thread can make a user namespace, so that unshare(1) does it.</remarks>
    /// <exception cref="ProcessFailedException">It could not be made.</exception>
    /// <exception cref="LinuxException">The kernel refused to hold one.</exception>
    public static async Task CreateAsync(string path, string networkPath, uint first, uint count, CancellationToken ct)
    {
        var start = new ProcessStartInfo("unshare", ["--user", "--net", "sh", "-c", Waiter]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Remove("NOTIFY_SOCKET");
        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new ProcessFailedException("unshare", $"could not be started: {e.Message}", e);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        try
        {
            if (await process.StandardOutput.ReadLineAsync(limit.Token) is null)
            {
                var said = await process.StandardError.ReadToEndAsync(limit.Token);
                throw new ProcessFailedException("unshare --user --net", $"made no user namespace: {said.Trim()}; does the kernel allow them (user.max_user_namespaces)?");
            }

            var map = string.Create(CultureInfo.InvariantCulture, $"0 {first} {count}\n");
            await File.WriteAllTextAsync($"/proc/{process.Id}/uid_map", map, limit.Token);
            await File.WriteAllTextAsync($"/proc/{process.Id}/gid_map", map, limit.Token);
            Hold(process.Id, "user", path);
            Hold(process.Id, "net", networkPath);
        }
        catch (OperationCanceledException e)
        {
            ct.ThrowIfCancellationRequested();
            throw new ProcessFailedException("unshare --user --net", $"took longer than {Limit.TotalSeconds:0} s", e);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static void Hold(int pid, string kind, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, []);
        Mounts.Mount($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/ns/{kind}", path, null, MountFlags.Bind);
    }
}
