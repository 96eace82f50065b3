using System.Text.Json.Nodes;

namespace EdgeVirt.Testing.Boards;

/// <summary>A card for an emulated board: a file that the published program flashes, with settings by which the board finds its hub.</summary>
public static class Card
{
    /// <summary>Bytes of a card.</summary>
    public const long Bytes = 8L << 30;

    /// <summary>Flashes the image of a board with a token that the hub makes for this card.</summary>
    /// <param name="fleet">Its hub, network and registry.</param>
    /// <param name="board">Where the card goes.</param>
    /// <param name="kind">Whose image.</param>
    /// <param name="node">The node's name.</param>
    public static void Flash(Fleet fleet, EmulatedBoard board, string kind, string node)
    {
        var image = NodeImage.Of(kind);
        using (var card = File.Create(board.Disk))
        {
            card.SetLength(Bytes);
        }

        using var directory = new TempDirectory();
        var settings = directory.Combine("settings.json");
        File.WriteAllText(settings, Settings(fleet).ToJsonString());
        var (code, output, error) = RealCli.At(fleet.Hub).Try(
            "flash", image.Compressed, "--to", board.Disk, "--force", "--key", RepositoryRoot.Combine("artifacts/keys/image-development.pub.pem"), "--require-signature",
            "--settings", settings, "--node-name", node, "--hub", fleet.Hub.NodeAddress, "--address", $"{board.Address}/24", "--gateway", fleet.Network.HostAddress.ToString());
        if (code != 0)
        {
            throw new InvalidOperationException($"The card was not flashed ({code}): {output}{error}");
        }
    }

    // How a site's own registry is reached is told to its boards in the same file.
    private static JsonObject Settings(Fleet fleet) => new()
    {
        ["registries"] = new JsonObject { [Fleet.RegistryName] = new JsonObject { ["url"] = fleet.Registry.Url.ToString() } },
    };
}
