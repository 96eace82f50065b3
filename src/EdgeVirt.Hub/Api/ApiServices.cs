using System.Text.Json.Serialization;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Enrollment;

namespace EdgeVirt.Hub.Api;

internal static class ApiServices
{
    private const int MaxAuditEntries = 1000;

    public static IServiceCollection AddApi(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(json =>
        {
            // The options of ContractsJson, which its metadata alone does not carry along.
            json.SerializerOptions.Converters.Add(new JsonStringEnumConverter());
            json.SerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, ContractsJson.Default);
            json.SerializerOptions.TypeInfoResolverChain.Insert(1, HubJson.Default);
        });
        services.AddSingleton<AuditThrottle>();
        services.AddOpenApi("v1", openApi => openApi.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "EdgeVirt hub";
            document.Info.Version = Program.Version;
            document.Info.Description =
                "Send 'Authorization: Bearer <token>'. Every answer with a status of 400 or above is an ApiError that says what to do next.";
            return Task.CompletedTask;
        }));
        return services;
    }

    /// <summary>The REST API; the group that it returns needs a token and takes further endpoints below <c>/api/v1</c>.</summary>
    public static RouteGroupBuilder MapApi(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json");
        app.MapGet("/api/v1/version", () => TypedResults.Ok(new VersionAnswer(Program.Version, Resource.CurrentApiVersion)))
            .WithTags("Hub").WithSummary("Version of the hub").WithDescription("Needs no token.");
        app.MapGet("/api/v1/authority", (CertificateAuthority authority) => TypedResults.Text(authority.Authority.ExportCertificatePem(), "application/x-pem-file"))
            .WithTags("Hub").WithSummary("Certificate of the hub's authority, PEM").WithDescription("Needs no token. Compare its fingerprint before trusting it.");

        var api = app.MapGroup("/api/v1").WithMetadata(new NeedsToken());
        api.AddEndpointFilter<RouteGroupBuilder, ChangeAudit>();
        api.MapResources();
        api.MapTokens();
        api.MapLogs();
        api.MapChannels();
        api.MapBackups();
        api.MapPost("/boardclaims/{name}/token", IssueAsync)
            .WithTags(ResourceKind.BoardClaim.Name)
            .WithSummary("Make the token of a claim")
            .WithDescription("A board enrolls with it. It is in this answer only; a token made for the claim before ends.")
            .Produces<ClaimTokenIssued>()
            .Produces<ApiError>(404)
            .Produces<ApiError>(409);
        api.MapGet("/audit", async (AuditLog audit, CancellationToken ct, int limit = 100) =>
                TypedResults.Ok(new AuditList(await audit.ReadAsync(Math.Clamp(limit, 1, MaxAuditEntries), ct))))
            .WithTags("Access")
            .WithSummary("Who did or tried what, newest first")
            .WithDescription($"limit: at most {MaxAuditEntries} entries, 100 if absent.");
        return api;
    }

    private static async Task<IResult> IssueAsync(string name, HttpContext context, ClaimTokens tokens)
    {
        var made = await tokens.IssueAsync(
            name, context.RequestAborted, (connection, end) => ChangeAudit.Put(context, connection, $"token made for BoardClaim/{name}, ends {end:u}"));
        if (made is not { } issued)
        {
            return ApiErrors.NotFound($"BoardClaim/{name}", "Apply it first, or: edgevirt node claim create.");
        }

        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(issued);
    }
}
