using System.CommandLine;
using EdgeVirt.Cli.Local;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt image</c>: the images on this machine, from its own agent.</summary>
internal static class ImageCommand
{
    private static readonly TimeSpan ImportPatience = TimeSpan.FromHours(1);
    private static readonly Argument<string> Archive = new("path") { Description = "OCI layout (directory or tar), or what 'docker save' wrote" };
    private static readonly Option<string?> ImageName = new("--name") { Description = "What to call the image, host[:port]/repository:tag; without it as the archive says", HelpName = "reference" };

    public static Command Create(Terminal terminal)
    {
        var import = new Command("import", "Takes in images from a file or directory on this machine") { Archive, ImageName, LocalAgent.Socket };
        import.Does(terminal, ImportAsync);
        var list = new Command("list", "Shows the images on this machine, what they take and who uses them") { LocalAgent.Socket };
        list.Does(terminal, ListAsync);
        return new Command("image", "The images of the node on this machine") { import, list };
    }

    private static async Task<int> ImportAsync(Invocation invocation, CancellationToken ct)
    {
        var name = invocation.Get(ImageName);
        if (name is not null && (!ImageReference.TryParse(name, out var reference, out var problem) || reference.IsLayout))
        {
            throw new CliException(ExitCodes.Usage, $"'{name}' is no name of an image.", problem ?? "Write host[:port]/repository:tag.");
        }

        // The agent knows nothing of the directory that the command was given in.
        var path = Path.GetFullPath(invocation.Get(Archive));
        var open = new OpenChannel { ImageImport = new ImageImportRequest { Path = path, Name = name ?? "" } };
        var bytes = await invocation.Progress.WhileAsync(() => $"importing {path}", limit => NodeCommand.CallAsync(invocation, open, limit, ImportPatience), ct);
        return Write(invocation, bytes);
    }

    private static async Task<int> ListAsync(Invocation invocation, CancellationToken ct)
    {
        var open = new OpenChannel { ImageList = new ImageListQuery() };
        var bytes = await invocation.Progress.WhileAsync(() => "asking the agent", limit => NodeCommand.CallAsync(invocation, open, limit), ct);
        return Write(invocation, bytes);
    }

    private static int Write(Invocation invocation, byte[] bytes)
    {
        var images = AgentJson.Read(bytes, ContractsJson.Default.LocalImageList);

        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, images, ContractsJson.Default.LocalImageList);
            return ExitCodes.Ok;
        }

        var table = new TableView("IMAGE", "DIGEST", "SIZE", "SHARED", "FETCHED", "USED BY");
        foreach (var image in images.Items)
        {
            table.Add(
                string.Join(", ", image.References), image.Digest, Description.Bytes(image.UniqueBytes), Description.Bytes(image.SharedBytes),
                image is { FetchedBytes: { } fetched, LayerBytes: { } all } ? $"{Description.Bytes(fetched)} of {Description.Bytes(all)}" : "-", string.Join(", ", image.UsedBy));
        }

        table.Write(invocation.Terminal);
        invocation.Note($"{Description.Bytes(images.TotalBytes)} on disk in all, {Description.Bytes(images.PartialBytes)} of it on its way.");
        return ExitCodes.Ok;
    }
}
