using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Hub.Telemetry;

internal static class TelemetryEndpoints
{
    /// <summary>
    /// <c>GET /api/v1/telemetry?node=&amp;metric=&amp;attr.workload=&amp;from=&amp;to=&amp;step=&amp;limit=</c>: the last hour where no
    /// time is given. 400 names the parameter that is wrong.
    /// </summary>
    /// <param name="api">The group below <c>/api/v1</c> that needs a token.</param>
    public static RouteGroupBuilder MapTelemetry(this RouteGroupBuilder api)
    {
        api.MapGet("/telemetry", AnswerAsync)
            .WithTags("Telemetry")
            .WithName("QueryTelemetry")
            .WithSummary("Telemetry of nodes and workloads, oldest first; with a step, means over buckets.")
            .Produces<TelemetryQueryResult>()
            .Produces<ApiError>(StatusCodes.Status400BadRequest)
            .Produces<ApiError>(StatusCodes.Status503ServiceUnavailable);
        return api;
    }

    private static async Task<IResult> AnswerAsync(HttpContext context, TelemetryQuery query, TimeProvider time, CancellationToken ct)
    {
        var given = context.Request.Query.SelectMany(pair => pair.Value.Select(value => KeyValuePair.Create(pair.Key, value ?? "")));
        var parameters = TelemetryParameters.TryRead(given, time.GetUtcNow(), out var fault);
        if (parameters is null)
        {
            return Error(StatusCodes.Status400BadRequest, "Invalid", fault + ".");
        }

        try
        {
            var result = await query.RunAsync(
                parameters.Node, parameters.Metric, parameters.Attributes, (parameters.From, parameters.To), parameters.Step, parameters.Limit, ct);
            return Results.Json(result, ContractsJson.Default.TelemetryQueryResult);
        }
        catch (TelemetryUnavailableException e)
        {
            return Error(StatusCodes.Status503ServiceUnavailable, "Unavailable", e.Message);
        }
    }

    private static IResult Error(int status, string code, string message) =>
        Results.Json(new ApiError { Code = code, Message = char.ToUpperInvariant(message[0]) + message[1..] }, ContractsJson.Default.ApiError, statusCode: status);
}
