using System.Net;

namespace EdgeVirt.Testing.Boards;

/// <summary>Somebody who is logged in at a board with a debug image, as root, by SSH.</summary>
public sealed class BoardShell
{
    private readonly IPAddress address;
    private readonly string key;
    private readonly string otherKey;

    /// <summary>Makes a key to log in with; its <see cref="PublicKey"/> has to be in the settings of the board's card.</summary>
    /// <param name="directory">Where the key goes.</param>
    /// <param name="address">The board's.</param>
    public BoardShell(TempDirectory directory, IPAddress address)
    {
        this.address = address;
        (key, otherKey) = (Make(directory.Combine("ssh-key")), Make(directory.Combine("other-ssh-key")));
    }

    /// <summary>A line of authorized_keys.</summary>
    public string PublicKey => File.ReadAllText(key + ".pub").Trim();

    /// <summary>Runs a line of shell.</summary>
    /// <param name="command">The line.</param>
    /// <param name="withKey">Shows that key; else another. Nobody is asked for a password.</param>
    public (int ExitCode, string Output, string Error) Try(string command, bool withKey = true) => Command.Try(
        "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", withKey ? key : otherKey, $"root@{address}", command);

    /// <summary>Runs a line of shell that has to succeed.</summary>
    /// <returns>Its output without spaces at the ends.</returns>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public string Run(string command)
    {
        var (code, output, error) = Try(command);
        return code == 0 ? output.Trim() : throw new InvalidOperationException($"'{command}' failed on the board ({code}): {output}{error}");
    }

    private static string Make(string path)
    {
        Command.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "technician", "-f", path);
        return path;
    }
}
