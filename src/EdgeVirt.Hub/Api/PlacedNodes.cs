using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Api;

/// <summary>Which node a request about a workload or virtual machine means: the one that it names, or the only one that runs it.</summary>
internal static class PlacedNodes
{
    /// <returns>The node, or why there is none.</returns>
    public static async Task<(string? Node, int Status, ApiError? Error)> FindAsync(ResourceStore store, PlacedKind kind, string name, string? wanted, CancellationToken ct)
    {
        var what = $"{kind.Kind.Name}/{name}";
        if (await store.GetAsync(kind.Kind, name, ct) is not { } resource)
        {
            return NotFound(what, await HintAsync(store, kind, name, ct));
        }

        var nodes = kind.ReadStatus(resource.Status)?.OnNodes.Select(instance => instance.Node).ToList() ?? [];
        if (wanted is null && nodes.Count != 1)
        {
            return nodes.Count == 0
                ? NotFound($"An instance of {what}", $"No node runs it yet; edgevirt describe {kind.Kind.Name.ToLowerInvariant()} says why.")
                : (null, StatusCodes.Status400BadRequest, new ApiError
                {
                    Code = "Invalid",
                    Message = $"{what} runs on several nodes.",
                    Hint = $"Say which: node={string.Join(" or ", nodes)}.",
                });
        }

        var node = wanted ?? nodes[0];
        return nodes.Contains(node)
            ? (node, StatusCodes.Status200OK, null)
            : NotFound($"An instance of {what} on node '{node}'", nodes.Count == 0 ? null : $"It runs on {string.Join(", ", nodes)}.");
    }

    // Both kinds share one space of names, so who asks for the one may well mean the other.
    private static async Task<string> HintAsync(ResourceStore store, PlacedKind kind, string name, CancellationToken ct)
    {
        var other = kind == PlacedKind.Workload ? PlacedKind.VirtualMachine : PlacedKind.Workload;
        if (await store.GetAsync(other.Kind, name, ct) is not null)
        {
            return other == PlacedKind.Workload
                ? $"{name} is a workload of containers: edgevirt attach {name} shows its program, edgevirt logs {name} what it wrote."
                : $"{name} is a virtual machine: edgevirt console {name} shows its serial console, edgevirt console --log {name} what it wrote there.";
        }

        return $"edgevirt get {kind.Kind.Plural} lists what there is.";
    }

    private static (string? Node, int Status, ApiError? Error) NotFound(string what, string? hint) =>
        (null, StatusCodes.Status404NotFound, new ApiError { Code = "NotFound", Message = $"{what} does not exist.", Hint = hint });
}
