using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Api;
using EdgeVirt.Hub.Enrollment;
using Microsoft.Net.Http.Headers;

namespace EdgeVirt.Hub.Access;

/// <summary>Marks the endpoints that need a token.</summary>
internal sealed class NeedsToken;

/// <summary>Marks endpoints that change or reach into something although they are asked by GET, as WebSockets are.</summary>
internal sealed class NeedsWrite;

/// <summary>
/// Lets requests with <c>Authorization: Bearer &lt;token&gt;</c> through to endpoints that need one, before anything of
/// the body is read. An address that guesses is put on the audit log and then not listened to for a while.
/// </summary>
internal sealed class BearerAuthentication(RequestDelegate next, ApiTokens tokens, RefusedAttempts attempts)
{
    private static readonly object TokenKey = new();

    /// <summary>The token of a request that was let through.</summary>
    public static ApiToken TokenOf(HttpContext context) => (ApiToken)context.Items[TokenKey]!;

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<NeedsToken>() is null)
        {
            await next(context);
            return;
        }

        var address = context.Connection.RemoteIpAddress;
        var header = context.Request.Headers.Authorization.ToString();
        var text = header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? header["Bearer ".Length..].Trim() : "";
        if (tokens.Find(text) is not { } token)
        {
            var reason = text.Length == 0 ? "no token was sent" : "the token is not known, was deleted or has expired";
            if (text.Length > 0)
            {
                await attempts.RecordAsync(address, address?.ToString() ?? "unknown", Action(context), reason, context.RequestAborted);
            }

            context.Response.Headers[HeaderNames.WWWAuthenticate] = "Bearer";
            await ApiErrors.WriteAsync(context, StatusCodes.Status401Unauthorized, new ApiError
            {
                Code = "Unauthorized",
                Message = $"This needs a token, and {reason}.",
                Hint = "edgevirt login, or send the header 'Authorization: Bearer <token>'. The first token is in admin.token in the hub's data directory.",
            });
        }
        else if (token.ReadOnly && !IsReading(context))
        {
            await attempts.RecordAsync(address, token.Name, Action(context), "the token is read-only", context.RequestAborted);
            await ApiErrors.WriteAsync(context, StatusCodes.Status403Forbidden, new ApiError
            {
                Code = "Forbidden",
                Message = $"The token '{token.Name}' is read-only.",
                Hint = "Use a token that may make changes.",
            });
        }
        else
        {
            context.Items[TokenKey] = token;
            await next(context);
        }
    }

    private static bool IsReading(HttpContext context) =>
        (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method)) &&
        context.GetEndpoint()?.Metadata.GetMetadata<NeedsWrite>() is null;

    private static string Action(HttpContext context) => $"{context.Request.Method} {context.Request.Path}";
}
