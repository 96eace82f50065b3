using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Apply, get, put, delete, list and watch, the same for every kind.</summary>
internal static class ResourceEndpoints
{
    public static void MapResources(this IEndpointRouteBuilder api)
    {
        api.MapPost("/apply", ApplyAsync)
            .WithSummary("Apply manifests: all or nothing")
            .WithDescription("The body is YAML or JSON text of one or more documents. With dryRun=true nothing is changed.")
            .Accepts<string>("application/yaml", "application/json", RequestText.AnyType)
            .Produces<ApplyResult>()
            .Produces<ApiError>(400)
            .Produces<ApiError>(409);
        foreach (var kind in ResourceKind.All)
        {
            var group = api.MapGroup($"/{kind.Plural}").WithTags(kind.Name);
            group.MapGet("/", (HttpContext context, ResourceStore store, string? labelSelector, bool? watch, long? resourceVersion) =>
                    watch == true
                        ? WatchStream.OpenAsync(context, store, kind, resourceVersion, RequestText.Selector(labelSelector))
                        : ListAsync(store, kind, RequestText.Selector(labelSelector), context.RequestAborted))
                .WithSummary($"List or watch {kind.Plural}")
                .WithDescription(
                    "labelSelector=key=value,… keeps those that carry all. watch=true streams WatchEvents as NDJSON after resourceVersion " +
                    "(absent: first everything that there is, as Added); 410 says that the version is too old and to list again.")
                .Produces<ResourceList>()
                .Produces<ApiError>(410);
            group.MapGet("/{name}", async (string name, ResourceStore store, CancellationToken ct) =>
                    await store.GetAsync(kind, name, ct) is { } found ? TypedResults.Ok(found) : Missing(kind, name))
                .WithSummary($"Get one {kind.Name}")
                .Produces<Resource>()
                .Produces<ApiError>(404);
            group.MapPut("/{name}", (string name, HttpContext context, ResourceStore store) => PutAsync(kind, name, context, store))
                .WithSummary($"Create or change one {kind.Name}")
                .WithDescription("The body is one manifest. With metadata.resourceVersion the change is made only if that is still the newest.")
                .Accepts<Resource>("application/json", "application/yaml", RequestText.AnyType)
                .Produces<Resource>()
                .Produces<ApiError>(400)
                .Produces<ApiError>(409);
            group.MapDelete("/{name}", (string name, HttpContext context, ResourceStore store) => DeleteAsync(kind, name, context, store))
                .WithSummary($"Delete one {kind.Name}")
                .WithDescription("Answers with its last form.")
                .Produces<Resource>()
                .Produces<ApiError>(404);
        }
    }

    private static async Task<IResult> ApplyAsync(HttpContext context, ResourceStore store, bool? dryRun)
    {
        var manifest = Manifest.Parse(await RequestText.ReadAsync(context.Request, context.RequestAborted));
        if (!manifest.IsValid)
        {
            ChangeAudit.Note(context, "the manifest is not valid");
            return Faulty(manifest);
        }

        if (dryRun != true)
        {
            return TypedResults.Ok(await ChangeAsync(context, store, manifest.Resources));
        }

        var result = await store.DryRunAsync(manifest.Resources, context.RequestAborted);
        ChangeAudit.Note(context, $"dry run: {Outcomes(result.Items)}");
        return TypedResults.Ok(result);
    }

    private static Task<ApplyResult> ChangeAsync(HttpContext context, ResourceStore store, IReadOnlyList<Resource> resources) =>
        store.ApplyAsync(resources, context.RequestAborted, (connection, items) => ChangeAudit.Put(context, connection, Outcomes(items)));

    private static string Outcomes(IReadOnlyList<AppliedResource> items) => string.Join(", ", items.Select(item => $"{item.Kind}/{item.Name} {item.Outcome}"));

    private static async Task<IResult> PutAsync(ResourceKind kind, string name, HttpContext context, ResourceStore store)
    {
        var manifest = Manifest.Parse(await RequestText.ReadAsync(context.Request, context.RequestAborted));
        if (!manifest.IsValid)
        {
            ChangeAudit.Note(context, "the manifest is not valid");
            return Faulty(manifest);
        }

        if (manifest.Resources is not [var wanted] || wanted.Kind != kind.Name || wanted.Metadata.Name != name)
        {
            return ApiErrors.Invalid($"The body must be the one resource {kind.Name}/{name}.", "Use POST /api/v1/apply for several.");
        }

        await ChangeAsync(context, store, [wanted]);
        return await store.GetAsync(kind, name, context.RequestAborted) is { } now ? TypedResults.Ok(now) : Missing(kind, name);
    }

    private static async Task<IResult> DeleteAsync(ResourceKind kind, string name, HttpContext context, ResourceStore store)
    {
        var last = await store.GetAsync(kind, name, context.RequestAborted);
        return last is not null
            && await store.DeleteAsync(kind, name, context.RequestAborted, connection => ChangeAudit.Put(context, connection, $"{kind.Name}/{name} deleted"))
            ? TypedResults.Ok(last)
            : Missing(kind, name);
    }

    private static async Task<IResult> ListAsync(
        ResourceStore store, ResourceKind kind, IReadOnlyDictionary<string, string>? labels, CancellationToken ct)
    {
        var list = await store.ListAsync(kind, ct);
        return TypedResults.Ok(labels is null
            ? list
            : list with { Items = [.. list.Items.Where(resource => Labels.Match(labels, resource.Metadata.Labels))] });
    }

    private static IResult Missing(ResourceKind kind, string name) =>
        ApiErrors.NotFound($"{kind.Name}/{name}", $"edgevirt get {kind.Plural} lists what there is.");

    private static IResult Faulty(ManifestResult manifest) => ApiErrors.Invalid(
        $"Nothing was applied: the manifest has {manifest.Errors.Count} fault{(manifest.Errors.Count == 1 ? "" : "s")}.", errors: manifest.Errors);
}
