using System.Text.Json;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Access;

namespace EdgeVirt.Hub.Api;

/// <summary>Body of <c>POST /api/v1/tokens</c>.</summary>
/// <param name="Name">DNS label; names the token in the audit log.</param>
/// <param name="ExpiresAt">When it ends; absent: not by itself.</param>
/// <param name="ReadOnly">It may look, not change.</param>
internal sealed record ApiTokenRequest(string Name, DateTimeOffset? ExpiresAt = null, bool ReadOnly = false);

/// <summary>Answer to <c>POST /api/v1/tokens</c>; the token is not shown again.</summary>
internal sealed record ApiTokenIssued(string Name, string Token, DateTimeOffset? ExpiresAt);

/// <summary>Answer to <c>GET /api/v1/tokens</c>.</summary>
internal sealed record ApiTokenList(IReadOnlyList<ApiToken> Items);

/// <summary>The API's own tokens.</summary>
internal static class TokenEndpoints
{
    public static void MapTokens(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/tokens").WithTags("Access");
        group.MapGet("/", (ApiTokens tokens) => TypedResults.Ok(new ApiTokenList(tokens.List())))
            .WithSummary("List API tokens")
            .WithDescription("Names and times; the tokens themselves are not kept.")
            .Produces<ApiTokenList>();
        group.MapPost("/", CreateAsync)
            .WithSummary("Make an API token")
            .WithDescription("Its text is in this answer only.")
            .Accepts<ApiTokenRequest>("application/json", RequestText.AnyType)
            .Produces<ApiTokenIssued>()
            .Produces<ApiError>(400)
            .Produces<ApiError>(409);
        group.MapDelete("/{name}", DeleteAsync)
            .WithSummary("End an API token at once")
            .Produces(204)
            .Produces<ApiError>(404);
    }

    private static async Task<IResult> CreateAsync(HttpContext context, ApiTokens tokens, TimeProvider time)
    {
        var text = await RequestText.ReadAsync(context.Request, context.RequestAborted);
        var request = JsonSerializer.Deserialize(text, HubJson.Default.ApiTokenRequest);
        if (request?.Name is null || ResourceName.Problem(request.Name) is not null)
        {
            return ApiErrors.Invalid("name must be 1 to 63 lower-case letters, digits and '-'.");
        }

        if (request.ExpiresAt <= time.GetUtcNow())
        {
            return ApiErrors.Invalid($"expiresAt must be in the future, is {request.ExpiresAt:u}.");
        }

        var (token, secret) = await tokens.CreateAsync(
            request.Name,
            request.ExpiresAt,
            request.ReadOnly,
            context.RequestAborted,
            connection => ChangeAudit.Put(context, connection, $"token '{request.Name}' made{(request.ReadOnly ? ", read-only" : "")}"));
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(new ApiTokenIssued(token.Name, secret, token.ExpiresAt));
    }

    private static async Task<IResult> DeleteAsync(string name, HttpContext context, ApiTokens tokens)
    {
        if (name == ApiTokens.Admin)
        {
            return ApiErrors.Invalid("The admin token cannot be deleted.", "To replace it, start the hub once with --reset-admin.");
        }

        return await tokens.DeleteAsync(name, context.RequestAborted, connection => ChangeAudit.Put(context, connection, $"token '{name}' deleted"))
            ? TypedResults.NoContent()
            : ApiErrors.NotFound($"The token '{name}'");
    }
}
