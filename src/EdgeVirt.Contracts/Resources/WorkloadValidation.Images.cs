namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private static void ValidateImagePull(PodSpec pod, string path, Validation v)
    {
        if (pod.ImagePull?.MaxBytes is { Value: < 1024 })
        {
            v.Add($"{path}.imagePull.maxBytes", "must be at least 1Ki");
        }

        if (pod.ImagePull?.MaxUplinkCost is < 0 or > 255)
        {
            v.Add($"{path}.imagePull.maxUplinkCost", "must be between 0 and 255");
        }

        ValidatePullSecrets(pod.ImagePullSecrets ?? [], $"{path}.imagePullSecrets", v);
    }

    internal static void ValidatePullSecrets(IReadOnlyList<LocalObjectReference> secrets, string path, Validation v)
    {
        var names = new HashSet<string>();
        for (var i = 0; i < secrets.Count; i++)
        {
            Name(secrets[i].Name, $"{path}[{i}].name", names, v);
        }
    }
}
