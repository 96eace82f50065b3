using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Control;

/// <summary>What is on the node, and who uses it.</summary>
internal delegate LocalImageList ListImages();

/// <summary>Takes in the images of an archive; gives their digests. Throws <see cref="ChannelRefusedException"/> where it cannot be done.</summary>
internal delegate Task<IReadOnlyList<string>> ImportImages(ImageImportRequest request, CancellationToken ct);

/// <summary>The node's images, as one JSON document: <see cref="LocalImageList"/>.</summary>
internal sealed class ImageListVerb(ListImages list)
{
    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.ImageList, IsLocalOnly: false, ServeAsync);

    private Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct) => ImageAnswer.SendAsync(list(), channel, ct);
}

/// <summary>
/// Images from a file or directory on the board. The agent reads it as root, so only who is on the board, and may open the
/// control socket, can ask for it; nothing but regular files is opened, and nothing of them is told but what is an image.
/// </summary>
internal sealed class ImageImportVerb(ImportImages import, ListImages list)
{
    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.ImageImport, IsLocalOnly: true, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var digests = await import(open.ImageImport, ct);
        var all = list();
        return await ImageAnswer.SendAsync(all with { Items = [.. all.Items.Where(image => digests.Contains(image.Digest))] }, channel, ct);
    }
}

internal static class ImageAnswer
{
    private const int PieceBytes = 16 << 10;

    public static async Task<string> SendAsync(LocalImageList images, ServedChannel channel, CancellationToken ct)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(images, ContractsJson.Default.LocalImageList);
        for (var at = 0; at < json.Length; at += PieceBytes)
        {
            await channel.SendAsync(json.AsMemory(at, Math.Min(PieceBytes, json.Length - at)), ct);
        }

        return "";
    }
}
