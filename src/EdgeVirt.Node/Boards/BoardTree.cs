using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Node.Boards;

/// <summary>Where things of the board itself are.</summary>
/// <param name="Root">"/" but in tests.</param>
internal sealed record BoardTree(string Root)
{
    /// <summary>Directory of settings and marks on the first partition; absent on what is no node image.</summary>
    public string CardDirectory => Path.Combine(Root, "boot/esp", BoardSettings.DirectoryName);

    /// <summary>What the board is told on its card.</summary>
    public string CardFile => Path.Combine(CardDirectory, BoardSettings.FileName);

    /// <summary>While it is there, the next boot wipes the data partition, and then removes it.</summary>
    public string ResetMark => Path.Combine(CardDirectory, "factory-reset");

    /// <summary>The <see cref="BoardDefinition"/>.</summary>
    public string Definition => Path.Combine(Root, "etc/edgevirt/board.json");

    /// <summary>Lights, a directory each.</summary>
    public string Leds => Path.Combine(Root, "sys/class/leds");
}
