using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Containers;

/// <summary>What the image verbs do, of the store and the reconciler.</summary>
internal static class ImageVerbSources
{
    public static IServiceCollection AddImageVerbs(this IServiceCollection services) => services
        .AddSingleton<ListImages>(provider => () => provider.GetRequiredService<ImageStore>()
            .List(provider.GetServices<IReconciler>().OfType<WorkloadReconciler>().SelectMany(workloads => workloads.ImagesInUse).ToLookup(use => use.Digest, use => use.Workload)))
        .AddSingleton(provider => new ImageListVerb(provider.GetRequiredService<ListImages>()).Verb)
        .AddSingleton(provider => new ImageImportVerb(
            (request, ct) => ImportAsync(provider.GetRequiredService<ImageStore>(), request, ct), provider.GetRequiredService<ListImages>()).Verb);

    /// <exception cref="ChannelRefusedException">It could not be done; the message says what to do.</exception>
    internal static async Task<IReadOnlyList<string>> ImportAsync(ImageStore store, ImageImportRequest request, CancellationToken ct)
    {
        ImageReference? name = null;
        if (request.Name.Length > 0 && (!ImageReference.TryParse(request.Name, out name, out var problem) || name.IsLayout))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, problem ?? $"'{request.Name}' is no name of an image; write host[:port]/repository:tag.");
        }

        try
        {
            return await store.ImportAsync(request.Path, name, ct);
        }
        catch (ImageRefusedException e)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, e.Message);
        }
        catch (Exception e) when (e is ImagePullException or IOException or UnauthorizedAccessException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, e.Message);
        }
    }
}
