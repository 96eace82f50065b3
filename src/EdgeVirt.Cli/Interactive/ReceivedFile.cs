using EdgeVirt.Contracts.Channels;

namespace EdgeVirt.Cli.Interactive;

/// <summary>A file that comes from a node as a whole: under another name until all of it is there and checked. May hold anything, so it is for its owner alone.</summary>
internal static class ReceivedFile
{
    /// <summary>The whole path of a file that is not there yet.</summary>
    /// <exception cref="CliException">It is there.</exception>
    public static string PathOf(string path)
    {
        var whole = Path.GetFullPath(path);
        return File.Exists(whole) || Directory.Exists(whole)
            ? throw new CliException(ExitCodes.Usage, $"'{whole}' is there already.", "Name another file; a backup never takes the place of one.")
            : whole;
    }

    /// <summary>Receives it.</summary>
    /// <exception cref="CliException">It is not whole; nothing is kept.</exception>
    public static async Task<bool> SaveAsync(MessageReadStream stream, string path, CancellationToken ct)
    {
        var partial = path + ".part";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
            await using (var file = new FileStream(partial, options))
            {
                await stream.CopyToAsync(file, ct);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path);
            return true;
        }
        catch (InvalidDataException fault)
        {
            throw new CliException(ExitCodes.Failure, $"the backup is not whole: {fault.Message}.", "Nothing was kept; try again.");
        }
        finally
        {
            File.Delete(partial);
        }
    }
}
