using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Node.Boards;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.Boards;

/// <summary>A board without hardware: a card, a data partition and a /run of its own, a clock and a host name that are written down.</summary>
internal sealed class PreparedBoard : IDisposable
{
    private readonly TempDirectory directory = new();

    public PreparedBoard()
    {
        Paths = new BoardPaths
        {
            Esp = directory.Subdirectory("esp"),
            DataDir = directory.Combine("var", "lib", "edgevirt"),
            Run = directory.Combine("run"),
            Root = directory.Subdirectory("root"),
        };
        Directory.CreateDirectory(Path.GetDirectoryName(Paths.CardFile)!);
        WriteRoot("usr/lib/os-release", "ID=debian\nIMAGE_ID=edgevirt-test\nVARIANT_ID=production\n");
        WriteRoot("usr/lib/edgevirt/build-time", $"{Built.ToUnixTimeSeconds()}\n");
    }

    public static DateTimeOffset Built { get; } = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    public BoardPaths Paths { get; }

    public DateTimeOffset Clock { get; set; } = DateTimeOffset.UnixEpoch;

    public string? HostName { get; set; }

    /// <summary>Text of a claim token that holds together.</summary>
    public static string NewToken() => ClaimToken.Create("oslo", "the authority"u8).Reveal();

    /// <summary>Writes the settings as a flasher does: padded, into a file of the size that images have.</summary>
    public void WriteCard(string json)
    {
        var bytes = new byte[BoardSettings.FileBytes];
        bytes.AsSpan().Fill((byte)' ');
        Encoding.UTF8.GetBytes(json).CopyTo(bytes, 0);
        bytes[^1] = (byte)'\n';
        File.WriteAllBytes(Paths.CardFile, bytes);
    }

    public void WriteRoot(string name, string text)
    {
        var path = Path.Combine(Paths.Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    /// <summary>What is in a file below /run; null where it is not there.</summary>
    public string? Run(string name) => File.Exists(Path.Combine(Paths.Run, name)) ? File.ReadAllText(Path.Combine(Paths.Run, name)) : null;

    public IReadOnlyList<string> Prepare(Action<string>? reached = null) =>
        new Preparation(Paths, new BoardSystem(() => Clock, moment => Clock = moment, name => HostName = name), reached ?? (_ => { })).Run();

    /// <summary>What a power cut takes: /run, the clock and the host name.</summary>
    public void CutPower()
    {
        if (Directory.Exists(Paths.Run))
        {
            Directory.Delete(Paths.Run, recursive: true);
        }

        (Clock, HostName) = (DateTimeOffset.UnixEpoch, null);
    }

    /// <summary>Every file of card, data and /run with its mode and content, the clock and the host name.</summary>
    public string Everything()
    {
        var all = new StringBuilder();
        foreach (var root in new[] { Paths.Esp, Paths.DataDir, Paths.Run })
        {
            foreach (var path in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                all.AppendLine($"{path} {File.GetUnixFileMode(path)}").AppendLine(File.ReadAllText(path).TrimEnd());
            }
        }

        return all.AppendLine($"{Clock:O} {HostName}").ToString();
    }

    public void Dispose() => directory.Dispose();
}
