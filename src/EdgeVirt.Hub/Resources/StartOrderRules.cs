using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Resources;

/// <summary>Workloads must not start after each other in a circle: on a node that has them all, none would ever start.</summary>
internal static class StartOrderRules
{
    /// <summary>A fault for each applied workload that is part of a circle.</summary>
    /// <param name="applied">What is applied.</param>
    /// <param name="all">Gives every workload of the fleet, as it is with what is applied; asked only where need be.</param>
    public static IEnumerable<FieldError> Check(IReadOnlyList<Resource> applied, Func<IEnumerable<Resource>> all)
    {
        var workloads = applied.Where(resource => resource.Kind == ResourceKind.Workload.Name && AfterOf(resource).Any()).ToList();
        if (workloads.Count == 0)
        {
            yield break;
        }

        var after = all().ToDictionary(resource => resource.Metadata.Name, resource => AfterOf(resource).ToList());
        foreach (var name in workloads.Select(resource => resource.Metadata.Name))
        {
            if (StartCircle.Find(name, other => after.GetValueOrDefault(other) ?? []) is { } circle)
            {
                var reason = circle.Count == 2 ? "names the workload itself" : $"makes a circle in which nothing starts: {string.Join(" after ", circle.Select(one => $"'{one}'"))}; take one of them out";
                yield return new FieldError(0, "spec.template.startAfter", reason, $"{ResourceKind.Workload.Name}/{name}");
            }
        }
    }

    private static IEnumerable<string> AfterOf(Resource workload) => (workload.SpecOf<WorkloadSpec>().Template.StartAfter ?? []).Select(other => other.Workload);
}
