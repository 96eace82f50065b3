using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace EdgeVirt.Testing.Boards;

/// <summary>A card for an emulated board: a file that the published program flashes, with settings by which the board finds its hub.</summary>
public static class Card
{
    /// <summary>Bytes of a card.</summary>
    public const long Bytes = 8L << 30;

    private const int Sector = 512;
    private const int FirstPartition = 16 << 20;
    private const int FirstPartitionBytes = 64 << 20;

    /// <summary>Flashes the image of a board with a token that the hub makes for this card.</summary>
    /// <param name="fleet">Its hub, network and registry.</param>
    /// <param name="board">Where the card goes.</param>
    /// <param name="kind">Whose image.</param>
    /// <param name="node">The node's name.</param>
    /// <param name="variant"><c>production</c> or <c>debug</c>.</param>
    /// <param name="hub">host:port that the board is told; null: the hub's own.</param>
    /// <param name="sshKey">A line of authorized_keys, for the debug image.</param>
    public static void Flash(Fleet fleet, EmulatedBoard board, string kind, string node, string variant = "production", string? hub = null, string? sshKey = null)
    {
        var image = NodeImage.Of(kind, variant);
        using (var card = File.Create(board.Disk))
        {
            card.SetLength(Bytes);
        }

        using var directory = new TempDirectory();
        var settings = directory.Combine("settings.json");
        File.WriteAllText(settings, Settings(fleet, sshKey).ToJsonString());
        var (code, output, error) = RealCli.At(fleet.Hub).Try(
            "flash", image.Compressed, "--to", board.Disk, "--force", "--key", RepositoryRoot.Combine("artifacts/keys/image-development.pub.pem"), "--require-signature",
            "--settings", settings, "--node-name", node, "--hub", hub ?? fleet.Hub.NodeAddress, "--address", $"{board.Address}/24", "--gateway", fleet.Network.HostAddress.ToString());
        if (code != 0)
        {
            throw new InvalidOperationException($"The card was not flashed ({code}): {output}{error}");
        }
    }

    /// <summary>Where a partition begins, in bytes, by the table at the start of a card; null: there is none of that name.</summary>
    /// <param name="disk">The card.</param>
    /// <param name="name">Such as <c>data</c>.</param>
    public static long? PartitionOf(string disk, string name)
    {
        const int Entries = 128;
        const int EntryBytes = 128;
        var table = Read(disk, 2 * Sector, Entries * EntryBytes);
        for (var entry = 0; entry < Entries; entry++)
        {
            // UEFI 2.10, 5.3.3: the first block at 32, the name at 56.
            var bytes = table.AsSpan(entry * EntryBytes, EntryBytes);
            if (Encoding.Unicode.GetString(bytes[56..]).TrimEnd('\0') == name)
            {
                return BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]) * Sector;
            }
        }

        return null;
    }

    /// <summary>Where the claim token's text begins on a card that was flashed, in bytes.</summary>
    public static long TokenOf(string disk) =>
        FirstPartition + Read(disk, FirstPartition, FirstPartitionBytes).AsSpan().IndexOf("evc1."u8) is var at && at >= FirstPartition
            ? at
            : throw new InvalidOperationException($"{disk} has no claim token");

    /// <summary>Whether a claim token begins at a place.</summary>
    public static bool HasToken(string disk, long at) => Read(disk, at, 5).AsSpan().SequenceEqual("evc1."u8);

    /// <summary>Puts an empty file onto the first partition of a card, as a laptop would.</summary>
    /// <param name="disk">The card; its board is off.</param>
    /// <param name="path">Such as <c>edgevirt/factory-reset</c>.</param>
    public static void Touch(string disk, string path)
    {
        using var directory = new TempDirectory();
        File.WriteAllText(directory.Combine("empty"), "");
        Command.Run("mcopy", "-o", "-i", $"{disk}@@{FirstPartition}", directory.Combine("empty"), $"::{path}");
    }

    /// <summary>Whether there is a file on the first partition of a card.</summary>
    public static bool Has(string disk, string path) => Command.Try("mdir", "-b", "-i", $"{disk}@@{FirstPartition}", $"::{path}").ExitCode == 0;

    /// <summary>Changes the settings on a card, as a laptop would.</summary>
    /// <param name="disk">The card; its board is off.</param>
    /// <param name="change">What to change.</param>
    public static void Edit(string disk, Action<JsonObject> change)
    {
        using var directory = new TempDirectory();
        var file = directory.Combine("settings.json");
        Command.Run("mcopy", "-n", "-o", "-i", $"{disk}@@{FirstPartition}", "::edgevirt/settings.json", file);
        var settings = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        change(settings);
        File.WriteAllText(file, settings.ToJsonString());
        Command.Run("mcopy", "-o", "-i", $"{disk}@@{FirstPartition}", file, "::edgevirt/settings.json");
    }

    /// <summary>
    /// What a check of the data partition finds, after its journal was replayed as the next boot would: nothing, if it is whole. And the text of a file in it, if it is there.
    /// </summary>
    /// <param name="disk">The card; its board is off.</param>
    /// <param name="path">Within the partition.</param>
    public static (int Faults, string Report, string Text) Examine(string disk, string path)
    {
        var offset = PartitionOf(disk, "data") ?? throw new InvalidOperationException($"{disk} has no data partition");
        using var directory = new TempDirectory();
        var mounted = directory.Subdirectory("data");
        string text;
        // The kernel replays: e2fsck does not come that far with a file system within a file.
        Command.Run("mount", "-t", "ext4", "-o", $"loop,offset={offset},nosuid,nodev,noexec", disk, mounted);
        try
        {
            var file = Path.Combine(mounted, path);
            text = File.Exists(file) ? File.ReadAllText(file) : "";
        }
        finally
        {
            Command.Run("umount", mounted);
        }

        var (code, report, _) = Command.Try("e2fsck", "-f", "-n", $"{disk}?offset={offset}");
        return (code, report, text);
    }

    private static byte[] Read(string disk, long at, int count)
    {
        using var card = new FileStream(disk, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        card.Position = at;
        var bytes = new byte[count];
        card.ReadExactly(bytes);
        return bytes;
    }

    // How a site's own registry is reached is told to its boards in the same file.
    private static JsonObject Settings(Fleet fleet, string? sshKey)
    {
        var settings = new JsonObject { ["registries"] = new JsonObject { [Fleet.RegistryName] = new JsonObject { ["url"] = fleet.Registry.Url.ToString() } } };
        if (sshKey is not null)
        {
            settings["sshAuthorizedKeys"] = new JsonArray(sshKey);
        }

        return settings;
    }
}
