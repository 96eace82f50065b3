using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Puts every request that asks for a change on the audit log, with what came of it.</summary>
internal sealed class ChangeAudit(AuditLog audit) : IEndpointFilter
{
    private static readonly object NoteKey = new();

    /// <summary>What a handler has to say for the audit log, names only.</summary>
    public static void Note(HttpContext context, string text) => context.Items[NoteKey] = text;

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method))
        {
            return await next(context);
        }

        var actor = BearerAuthentication.TokenOf(http).Name;
        var action = $"{http.Request.Method} {http.Request.Path}";
        try
        {
            var result = await next(context);
            var status = (result as IStatusCodeHttpResult)?.StatusCode ?? StatusCodes.Status200OK;
            await audit.WriteAsync(actor, action, status < 400, http.Items[NoteKey] as string ?? $"status {status}", CancellationToken.None);
            return result;
        }
        catch (Exception e)
        {
            var reason = e is ConflictException or InvalidResourceException or BadHttpRequestException ? e.Message : "failed; see the hub's log";
            await audit.WriteAsync(actor, action, ok: false, reason, CancellationToken.None);
            throw;
        }
    }
}
