using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Resources;

/// <summary>A workload and a virtual machine never have one name: on the network of a node that has both, both would be it.</summary>
internal static class SharedNameRules
{
    private static readonly string[] Kinds = [ResourceKind.Workload.Name, ResourceKind.VirtualMachine.Name];

    /// <summary>A fault for each applied resource whose name one of another kind has.</summary>
    /// <param name="applied">What is applied.</param>
    /// <param name="exists">Whether there is a resource of that kind and name, with what is applied.</param>
    public static IEnumerable<FieldError> Check(IReadOnlyList<Resource> applied, Func<string, string, bool> exists) =>
        from resource in applied
        where Kinds.Contains(resource.Kind)
        let name = resource.Metadata.Name
        from other in Kinds
        where other != resource.Kind && exists(other, name)
        select new FieldError(
            0, "metadata.name", $"is the name of {other}/{name} too, and by it they find each other on a node: choose another, or delete {other}/{name} first", $"{resource.Kind}/{name}");
}
