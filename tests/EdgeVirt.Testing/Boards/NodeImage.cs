namespace EdgeVirt.Testing.Boards;

/// <summary>An image of the node OS as <c>./dev image</c> made it.</summary>
public sealed class NodeImage
{
    private readonly string directory;

    private NodeImage(string directory) => this.directory = directory;

    /// <summary>The compressed image.</summary>
    public string Compressed => Directory.GetFiles(directory, "*.img.zst").Single();

    /// <summary>Its manifest.</summary>
    public string Manifest => Path.Combine(directory, File.ReadAllText(Path.Combine(directory, "manifest")).Trim());

    /// <summary>Bytes of the root with its hash tree.</summary>
    public long RootBytes => long.Parse(File.ReadAllText(Path.Combine(Slot, "root.bytes")).Trim(), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The files of its slot.</summary>
    public string Slot => Path.Combine(directory, "boot");

    /// <summary>The kernel in its slot.</summary>
    public string Kernel => Path.Combine(Slot, "vmlinuz");

    /// <summary>The one of a board.</summary>
    /// <param name="kind">Name of the board.</param>
    /// <param name="variant"><c>production</c> or <c>debug</c>.</param>
    public static NodeImage Of(string kind, string variant = "production")
    {
        var directory = RepositoryRoot.Combine("artifacts/images/node", $"{kind}-{variant}");
        var option = variant == "debug" ? "--debug " : "";
        return File.Exists(Path.Combine(directory, "manifest")) ? new NodeImage(directory) : throw new InvalidOperationException($"{directory} is missing: run ./dev image {option}{kind} first.");
    }
}
