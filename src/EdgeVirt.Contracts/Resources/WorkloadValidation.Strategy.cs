namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MostSeconds = 86400;

    private static void Validate(UpdateStrategy? strategy, PodSpec pod, string path, Validation v)
    {
        if (strategy?.Set is { } set && ResourceName.Problem(set) is { } problem)
        {
            v.Add($"{path}.set", $"'{set}' {problem}");
        }

        if (strategy?.ProgressDeadlineSeconds is < 1 or > MostSeconds)
        {
            v.Add($"{path}.progressDeadlineSeconds", $"must be between 1 and {MostSeconds} (seconds)");
        }

        if (strategy?.MinReadySeconds is < 0 or > MostSeconds)
        {
            v.Add($"{path}.minReadySeconds", $"must be between 0 and {MostSeconds} (seconds)");
        }

        if (strategy is { ProgressDeadlineSeconds: null or > 0 } && (strategy.MinReadySeconds ?? UpdateTerms.DefaultMinReadySeconds) >= (strategy.ProgressDeadlineSeconds ?? UpdateTerms.DefaultProgressDeadlineSeconds))
        {
            v.Add($"{path}.progressDeadlineSeconds", "must be more than minReadySeconds, or no version could ever prove itself");
        }

        if (strategy?.Type == UpdateStrategyType.HandOver && pod.HostNetwork)
        {
            v.Add($"{path}.type", "HandOver is not for hostNetwork: two versions cannot listen on the same port of the node; take Recreate");
        }
    }
}

/// <summary>What holds where an <see cref="UpdateStrategy"/> says nothing.</summary>
public static class UpdateTerms
{
    /// <summary>Seconds.</summary>
    public const int DefaultProgressDeadlineSeconds = 300;

    /// <summary>Seconds.</summary>
    public const int DefaultMinReadySeconds = 10;
}
