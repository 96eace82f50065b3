namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MostStartAfter = 32;

    private static void ValidateStartAfter(IReadOnlyList<StartAfter> all, string path, Validation v)
    {
        if (all.Count > MostStartAfter)
        {
            v.Add(path, $"takes up to {MostStartAfter} workloads, has {all.Count}");
        }

        var names = new HashSet<string>();
        for (var i = 0; i < all.Count; i++)
        {
            Name(all[i].Workload, $"{path}[{i}].workload", names, v);
        }
    }
}
