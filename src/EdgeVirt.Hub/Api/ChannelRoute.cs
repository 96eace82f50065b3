using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;

namespace EdgeVirt.Hub.Api;

/// <summary>One of the verbs that callers reach.</summary>
/// <param name="Path">Last part of the address, and the CLI's verb.</param>
/// <param name="Verb">What the first frame has to open.</param>
/// <param name="Summary">For the description of the API.</param>
/// <param name="Description">Likewise.</param>
/// <param name="SetName">What the address names is what counts.</param>
/// <param name="Describe">For the audit log: never anything that was typed or sent.</param>
internal sealed record ChannelRoute(
    string Path, OpenChannel.VerbOneofCase Verb, string Summary, string Description, Action<OpenChannel, string> SetName, Func<OpenChannel, string> Describe)
{
    /// <summary>Whether it is asked for so often that the audit log is told only once a minute.</summary>
    public bool IsFrequent { get; init; }

    /// <summary>Whether a read-only token may ask for it.</summary>
    public bool IsReading { get; init; }

    /// <summary>What is named in the address: a workload, a virtual machine, or the node itself.</summary>
    public ResourceKind Kind { get; init; } = ResourceKind.Workload;

    /// <summary>The node that is meant, or why there is none.</summary>
    public async Task<(string? Node, int Status, ApiError? Error)> FindNodeAsync(ResourceStore store, string name, string? wanted, CancellationToken ct)
    {
        if (PlacedKind.Find(Kind.Name) is { } placed)
        {
            return await PlacedNodes.FindAsync(store, placed, name, wanted, ct);
        }

        return await store.GetAsync(ResourceKind.Node, name, ct) is not null
            ? (name, StatusCodes.Status200OK, null)
            : (null, StatusCodes.Status404NotFound, new ApiError { Code = "NotFound", Message = $"Node/{name} does not exist.", Hint = "edgevirt get nodes lists what there is." });
    }
}
