using System.Text;

namespace EdgeVirt.Node.Containers.Images.Layers;

/// <summary>
/// Names a layer together with what lies below it (OCI image specification, "Layer ChainID"). A layer may leave
/// out directories that it changes something in; they then take their attributes from below, so the same layer
/// on another base is another tree.
/// </summary>
internal static class ChainId
{
    /// <summary>One for each diff id, lowest first; the lowest is its own chain.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> diffIds)
    {
        var chains = new List<string>(diffIds.Count);
        foreach (var diffId in diffIds)
        {
            chains.Add(chains.Count == 0 ? diffId : Digest.Of(Encoding.ASCII.GetBytes($"{chains[^1]} {diffId}")));
        }

        return chains;
    }
}
