using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>Which images documents name.</summary>
internal static class WorkloadImages
{
    /// <summary>References as the image store knows them.</summary>
    public static IReadOnlySet<string> NamedBy(IEnumerable<NodeDocument> documents) => documents
        .SelectMany(document => document.Workloads)
        .SelectMany(workload => workload.Template.AllContainers())
        .Select(container => ImageReference.TryParse(container.Image, out var reference, out _) ? reference.ToString() : null)
        .OfType<string>()
        .ToHashSet();
}
