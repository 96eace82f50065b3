using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Which node a request about a workload means: the one that it names, or the only one that runs it.</summary>
internal static class WorkloadNodes
{
    /// <returns>The node, or why there is none.</returns>
    public static async Task<(string? Node, int Status, ApiError? Error)> FindAsync(ResourceStore store, string name, string? wanted, CancellationToken ct)
    {
        if (await store.GetAsync(ResourceKind.Workload, name, ct) is not { } workload)
        {
            return NotFound($"Workload/{name}", "edgevirt get workloads lists what there is.");
        }

        var nodes = workload.Status?.Deserialize(ContractsJson.Default.WorkloadStatus)?.Instances.Select(instance => instance.Node).ToList() ?? [];
        if (wanted is null && nodes.Count != 1)
        {
            return nodes.Count == 0
                ? NotFound($"An instance of Workload/{name}", "No node runs it yet; edgevirt describe workload says why.")
                : (null, StatusCodes.Status400BadRequest, new ApiError
                {
                    Code = "Invalid",
                    Message = $"Workload/{name} runs on several nodes.",
                    Hint = $"Say which: node={string.Join(" or ", nodes)}.",
                });
        }

        var node = wanted ?? nodes[0];
        return nodes.Contains(node)
            ? (node, StatusCodes.Status200OK, null)
            : NotFound($"An instance of Workload/{name} on node '{node}'", nodes.Count == 0 ? null : $"It runs on {string.Join(", ", nodes)}.");
    }

    private static (string? Node, int Status, ApiError? Error) NotFound(string what, string? hint) =>
        (null, StatusCodes.Status404NotFound, new ApiError { Code = "NotFound", Message = $"{what} does not exist.", Hint = hint });
}
