using System.Text;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.VirtualMachines.CloudInit;

/// <summary>Writes what cloud-init is told as an ISO 9660 file system named <c>cidata</c>, where its data source NoCloud looks for it.</summary>
internal static class SeedImage
{
    // One moment for all of it, so that the same seed is the same bytes: 2000-01-01, as xorriso wants it.
    private const string Moment = "2000010100000000";
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    /// <summary>Writes it, in place of the one that is there.</summary>
    /// <param name="seed">Its content.</param>
    /// <param name="path">Where; beside it is a directory for the moment, so it has to be where secrets may lie.</param>
    /// <param name="user">Who may read it, and nobody else.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="VmStartException">xorriso is not installed or failed.</exception>
    public static async Task WriteAsync(CloudInitSeed seed, string path, Unprivileged user, CancellationToken ct)
    {
        var directory = path + ".d";
        var made = path + ".new";
        try
        {
            Remove(directory);
            File.Delete(made);
            Directory.CreateDirectory(directory, Owner);
            foreach (var (name, text) in ((string, string)[])[("meta-data", seed.MetaData), ("user-data", seed.UserData), ("network-config", seed.NetworkConfig)])
            {
                await File.WriteAllBytesAsync(Path.Combine(directory, name), Encoding.UTF8.GetBytes(text), ct);
            }

            // xorriso writes into a file that is there and nobody else's.
            await using (new FileStream(made, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
            }

            await ProcessRunner.RunAsync(
                QemuPrograms.Xorriso,
                [
                    "-as", "mkisofs", "-quiet", "-volid", "cidata", "-joliet", "-rational-rock", $"--modification-date={Moment}", "--set_all_file_dates", $"={Moment}",
                    "-o", made, directory,
                ],
                Timeout,
                ct: ct);
            File.SetUnixFileMode(made, UnixFileMode.UserRead);
            Ownership.Set(made, user.User, user.User);
            File.Move(made, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmStartException($"what cloud-init is told cannot be written: {e.Message}", e);
        }
        finally
        {
            Remove(directory);
            if (File.Exists(made))
            {
                File.Delete(made);
            }
        }
    }

    private static void Remove(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
