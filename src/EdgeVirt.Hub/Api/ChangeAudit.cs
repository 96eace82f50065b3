using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Resources;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Api;

/// <summary>
/// Puts every request that asks for a change on the audit log, with what came of it: a change in its own transaction,
/// whatever changed nothing after it.
/// </summary>
internal sealed class ChangeAudit(AuditLog audit) : IEndpointFilter
{
    private static readonly object NoteKey = new();
    private static readonly object EntryKey = new();

    /// <summary>What a handler that changed nothing has to say for the audit log, names only.</summary>
    public static void Note(HttpContext context, string text) => context.Items[NoteKey] = text;

    /// <summary>What a handler changes, names only; called in the transaction of the change.</summary>
    public static void Put(HttpContext context, SqliteConnection connection, string text) =>
        context.Items[EntryKey] = context.RequestServices.GetRequiredService<AuditLog>().Put(connection, ActorOf(context), ActionOf(context), text);

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method))
        {
            return await next(context);
        }

        try
        {
            var result = await next(context);
            if (http.Items[EntryKey] is AuditEntry entry)
            {
                audit.Tell(entry);
                return result;
            }

            var status = (result as IStatusCodeHttpResult)?.StatusCode ?? StatusCodes.Status200OK;
            await audit.WriteAsync(
                ActorOf(http), ActionOf(http), status < 400, http.Items[NoteKey] as string ?? $"status {status}", CancellationToken.None);
            return result;
        }
        catch (Exception e)
        {
            var reason = e is ConflictException or InvalidResourceException or BadHttpRequestException ? e.Message : "failed; see the hub's log";
            await audit.WriteAsync(ActorOf(http), ActionOf(http), ok: false, reason, CancellationToken.None);
            throw;
        }
    }

    private static string ActorOf(HttpContext context) => BearerAuthentication.TokenOf(context).Name;

    private static string ActionOf(HttpContext context) => $"{context.Request.Method} {context.Request.Path}";
}
