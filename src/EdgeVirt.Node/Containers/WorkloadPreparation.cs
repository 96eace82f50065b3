using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Volumes;

namespace EdgeVirt.Node.Containers;

/// <summary>All that a target needs before anything of its predecessor is stopped: images on the node, values found.</summary>
internal sealed record PreparedWorkload(string Hash, IReadOnlyDictionary<string, PreparedContainer> Containers)
{
    /// <summary>Of the image manifests, by container.</summary>
    public IReadOnlyDictionary<string, string> Digests { get; } = Containers.ToDictionary(pair => pair.Key, pair => pair.Value.Image.ManifestDigest);
}

/// <summary>Holds Secrets: never log it.</summary>
internal sealed record PreparedContainer(StoredImage Image, IReadOnlyList<KeyValuePair<string, string>> Environment);

/// <summary>Why a workload is not as it should be, in words of <see cref="ReadyReasons"/>.</summary>
internal sealed record WorkloadProblem(string Reason, string Message);

/// <summary>A target cannot be prepared.</summary>
/// <param name="problem">What the condition says.</param>
/// <param name="isFinal">Whether only a change of the desired state can help.</param>
internal sealed class PreparationFailedException(WorkloadProblem problem, bool isFinal) : Exception(problem.Message)
{
    public WorkloadProblem Problem { get; } = problem;

    public bool IsFinal { get; } = isFinal;

    /// <summary>When it is worth a try again; null: later and later.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

internal static class WorkloadPreparation
{
    private static readonly TimeSpan DevicePeriod = TimeSpan.FromSeconds(2);

    /// <summary>Whether the node has what a target wants of it. A device may be plugged in at any moment: it is looked for again soon.</summary>
    /// <exception cref="PreparationFailedException">It does not.</exception>
    public static void CheckNode(WorkloadTarget target, IContainerRuntime runtime)
    {
        if (runtime.ProblemOf(target.Template) is { } problem)
        {
            var mayCome = problem.Reason == ReadyReasons.DeviceMissing;
            throw new PreparationFailedException(problem, isFinal: !mayCome) { RetryAfter = mayCome ? DevicePeriod : null };
        }
    }

    /// <param name="target">What is to be run.</param>
    /// <param name="images">Where images come from.</param>
    /// <param name="pins">Digests of images by container, where a tag must not be looked up anew; null: none.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="PreparationFailedException">Something is missing.</exception>
    public static async Task<PreparedWorkload> RunAsync(
        WorkloadTarget target, IContainerImages images, IReadOnlyDictionary<string, string>? pins, CancellationToken ct)
    {
        // Values first: they cost nothing, and a missing one makes pulling pointless.
        CheckVolumes(target);
        var environments = target.Template.AllContainers().ToDictionary(container => container.Name, container => EnvironmentOf(container, target.References));
        var prepared = new Dictionary<string, PreparedContainer>();
        var terms = WorkloadPullTerms.Of(target);
        foreach (var container in target.Template.AllContainers())
        {
            prepared[container.Name] = new PreparedContainer(await ImageOfAsync(container, images, pins?.GetValueOrDefault(container.Name), terms, ct), environments[container.Name]);
        }

        return new PreparedWorkload(target.Hash, prepared);
    }

    internal static IReadOnlyList<KeyValuePair<string, string>> EnvironmentOf(ContainerSpec container, References references)
    {
        var values = new List<KeyValuePair<string, string>>();
        foreach (var variable in container.Env ?? [])
        {
            string? value = variable.ValueFrom switch
            {
                { SecretKeyRef: { } key } => references.Secret(key.Name) is { } secret && secret.TryGetValue(key.Key, out var bytes)
                    ? System.Text.Encoding.UTF8.GetString(bytes)
                    : key.Optional ? null : throw Missing("Secret", key),
                { ConfigKeyRef: { } key } => references.Config(key.Name) is { } config && config.TryGetValue(key.Key, out var text)
                    ? text
                    : key.Optional ? null : throw Missing("Config", key),
                _ => variable.Value ?? "",
            };
            if (value is not null)
            {
                values.Add(new(variable.Name, value));
            }
        }

        return values;

        PreparationFailedException Missing(string kind, KeyRef key) => Final(
            ReadyReasons.ReferenceMissing, $"container '{container.Name}' wants key '{key.Key}' of {kind} '{key.Name}', which does not exist; apply it");
    }

    private static void CheckVolumes(WorkloadTarget target)
    {
        foreach (var volume in target.Template.Volumes ?? [])
        {
            if (Projection.ProblemOf(volume, target.References) is { } problem)
            {
                throw Final(ReadyReasons.ReferenceMissing, problem);
            }
        }
    }

    private static async Task<StoredImage> ImageOfAsync(ContainerSpec container, IContainerImages images, string? pin, PullTerms terms, CancellationToken ct)
    {
        if (!ImageReference.TryParse(container.Image, out var reference, out var fault))
        {
            throw Final(ReadyReasons.ImageRefused, fault);
        }

        try
        {
            return await images.EnsureAsync(pin is null ? reference : reference with { Digest = pin }, container.ImagePullPolicy, terms, ct);
        }
        catch (ImageRefusedException e)
        {
            throw new PreparationFailedException(new(ReadyReasons.ImageRefused, $"{container.Image}: {e.Message}"), isFinal: false);
        }
        catch (ImagePullException e) when (ForbiddenBy(e) is { } reason)
        {
            throw new PreparationFailedException(new(reason, $"{container.Image}: {e.Message}"), isFinal: false);
        }
        catch (ImagePullException e)
        {
            throw new PreparationFailedException(new(ReadyReasons.ImagePullFailed, $"{container.Image}: {e.Message}{(terms.Problem is { } problem ? $" ({problem})" : "")}"), isFinal: false);
        }
    }

    /// <summary>The reason for a pull that the terms forbid; null: it failed for another.</summary>
    private static string? ForbiddenBy(ImagePullException refusal) => refusal switch
    {
        { IsOverBudget: true } => ReadyReasons.PullBudgetExceeded,
        { IsDeltaUnavailable: true } => ReadyReasons.DeltaUnavailable,
        { IsOverUplinkCost: true } => ReadyReasons.UplinkCostExceeded,
        _ => null,
    };

    private static PreparationFailedException Final(string reason, string message) => new(new(reason, message), isFinal: true);
}
