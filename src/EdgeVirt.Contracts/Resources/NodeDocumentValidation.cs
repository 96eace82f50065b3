namespace EdgeVirt.Contracts.Resources;

/// <summary>What a node checks before it puts a document in force: the same rules as for manifests.</summary>
public static class NodeDocumentValidation
{
    private const int MostFaults = 5;

    /// <summary>Everything that is wrong with a document for <paramref name="node"/>, null if nothing is.</summary>
    public static string? ProblemOf(NodeDocument document, string node)
    {
        List<string> faults = [];
        if (document.Node != node)
        {
            faults.Add($"it is for node '{document.Node}', this is '{node}'");
        }

        if (document is not { Workloads: not null, Configs: not null, Secrets: not null })
        {
            return "workloads, configs or secrets are missing";
        }

        Names("workload", document.Workloads.Select(workload => workload.Name), faults);
        Names("virtual machine", (document.VirtualMachines ?? []).Select(machine => machine.Name), faults);
        Names("config", document.Configs.Select(config => config.Name), faults);
        Names("secret", document.Secrets.Select(secret => secret.Name), faults);
        foreach (var workload in document.Workloads)
        {
            var validation = new Validation();
            WorkloadValidation.Validate(new WorkloadSpec { Template = workload.Template, Strategy = workload.Strategy }, validation);
            if (workload.Template.StartAfter?.Any(other => other.Workload == workload.Name) == true)
            {
                validation.Add("spec.template.startAfter", "names the workload itself");
            }

            faults.AddRange(validation.Errors.Select(error => $"workload '{workload.Name}': {error.Field} {error.Reason}"));
        }

        var workloads = document.Workloads.Select(workload => workload.Name).ToHashSet();
        foreach (var machine in document.VirtualMachines ?? [])
        {
            var validation = new Validation();
            VirtualMachineValidation.Validate(machine.Spec, validation);
            faults.AddRange(validation.Errors.Select(error => $"virtual machine '{machine.Name}': {error.Field} {error.Reason}"));
            if (workloads.Contains(machine.Name))
            {
                faults.Add($"virtual machine '{machine.Name}' has the name of a workload, and both would be that name on the node's network");
            }
        }

        return faults.Count == 0 ? null : string.Join("; ", faults.Take(MostFaults));
    }

    private static void Names(string what, IEnumerable<string> names, List<string> faults)
    {
        HashSet<string> seen = [];
        foreach (var name in names)
        {
            if (ResourceName.Problem(name) is { } problem)
            {
                faults.Add($"{what} '{name}' {problem}");
            }
            else if (!seen.Add(name))
            {
                faults.Add($"{what} '{name}' is there twice");
            }
        }
    }
}
