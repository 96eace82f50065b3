using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli.HubClient;

/// <summary>The hub's REST API, call by call; every failure is a <see cref="CliException"/>.</summary>
internal sealed class HubApi : IDisposable
{
    private const int MaxLine = 4 << 20;
    private readonly HubTarget target;
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;
    private readonly HttpClient http;

    /// <param name="target">The hub.</param>
    /// <param name="timeout">For each answer to begin; a stream may then go on for ever.</param>
    /// <param name="time">Clock of the timeout.</param>
    public HubApi(HubTarget target, TimeSpan timeout, TimeProvider time)
    {
        this.target = target;
        this.timeout = timeout;
        this.time = time;
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.All };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            target.Trust.Accepts(certificate as X509Certificate2, chain, errors);
        http = new HttpClient(handler) { BaseAddress = target.Server, Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.ParseAdd("edgevirt-cli/1");
        if (target.Token is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", target.Token);
        }
    }

    public Uri Server => target.Server;

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return await AskAsync(request, type, ct);
    }

    public async Task<TAnswer> SendAsync<TBody, TAnswer>(
        HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TAnswer> answerType, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, bodyType)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        return await AskAsync(request, answerType, ct);
    }

    public async Task<T> PostAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        return await AskAsync(request, type, ct);
    }

    /// <summary>Sends a manifest as it is, so that the hub's line numbers are those of the text.</summary>
    public async Task<ApplyResult> ApplyAsync(string text, bool dryRun, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, dryRun ? "/api/v1/apply?dryRun=true" : "/api/v1/apply")
        {
            Content = new StringContent(text, Encoding.UTF8, "application/yaml"),
        };
        return await AskAsync(request, ContractsJson.Default.ApplyResult, ct);
    }

    /// <summary>Deletes; whether there was something to delete.</summary>
    public async Task<bool> DeleteAsync(string path, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        try
        {
            using var answer = await StartAsync(request, ct);
            return true;
        }
        catch (CliException fault) when (fault.ExitCode == ExitCodes.NotFound)
        {
            return false;
        }
    }

    /// <summary>Lines of JSON until the hub ends the stream.</summary>
    public IAsyncEnumerable<T> StreamAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct) => StreamAsync(HttpMethod.Get, path, type, ct);

    /// <summary>Likewise for what takes long and tells of it as it goes.</summary>
    public async IAsyncEnumerable<T> StreamAsync<T>(HttpMethod method, string path, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, path);
        using var answer = await StartAsync(request, ct);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(ct), Encoding.UTF8);
        while (await NextLineAsync(reader, ct) is { } line)
        {
            if (line.Length > 0)
            {
                yield return Read(line, type);
            }
        }
    }

    public void Dispose() => http.Dispose();

    private async Task<string?> NextLineAsync(StreamReader reader, CancellationToken ct)
    {
        try
        {
            var line = await reader.ReadLineAsync(ct);
            return line is { Length: > MaxLine } ? throw Unreadable("a line of its answer is too long") : line;
        }
        catch (Exception fault) when (fault is HttpIOException or IOException)
        {
            throw new CliException(ExitCodes.Unreachable, $"the connection to the hub at {Authority} broke.", "It may be starting again; try once more.");
        }
    }

    private async Task<T> AskAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken ct)
    {
        using var answer = await StartAsync(request, ct);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var timer = time.CreateTimer(_ => limit.Cancel(), null, timeout, Timeout.InfiniteTimeSpan);
        try
        {
            return Read(await answer.Content.ReadAsStringAsync(limit.Token), type);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw Reachability.TimedOut(target.Server, timeout);
        }
        catch (HttpRequestException fault)
        {
            throw Reachability.Explain(target.Server, fault, null);
        }
    }

    /// <summary>The answer once its head is there; anything but success throws.</summary>
    private async Task<HttpResponseMessage> StartAsync(HttpRequestMessage request, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var timer = time.CreateTimer(_ => limit.Cancel(), null, timeout, Timeout.InfiniteTimeSpan);
        try
        {
            var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (answer.IsSuccessStatusCode)
            {
                return answer;
            }

            using (answer)
            {
                throw Refused(answer.StatusCode, await answer.Content.ReadAsStringAsync(limit.Token));
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw Reachability.TimedOut(target.Server, timeout);
        }
        catch (HttpRequestException fault)
        {
            throw Reachability.Explain(target.Server, fault, target.Trust);
        }
    }

    private CliException Refused(HttpStatusCode status, string body)
    {
        if (status == HttpStatusCode.Unauthorized)
        {
            return new CliException(
                ExitCodes.Unauthorized,
                target.Token is null ? $"the hub at {Authority} wants a token." : $"the hub at {Authority} does not accept the token.",
                "Run 'edgevirt login' with a valid one; the hub's first is in admin.token of its data directory.");
        }

        try
        {
            if (JsonSerializer.Deserialize(body, ContractsJson.Default.ApiError) is { } error)
            {
                return new CliException(ExitCodes.OfApiCode(error.Code), error.Message, error.Hint) { Errors = error.Errors ?? [] };
            }
        }
        catch (JsonException)
        {
            // Said by something that is no hub of ours, or of another version.
        }

        return new CliException(
            status == HttpStatusCode.NotFound ? ExitCodes.NotFound : ExitCodes.Failure,
            $"the hub at {Authority} answered {(int)status} {status}.",
            "Check that the address is that of an EdgeVirt hub, and its version ('edgevirt version').");
    }

    private T Read<T>(string text, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(text, type) ?? throw Unreadable("it is empty");
        }
        catch (JsonException fault)
        {
            throw Unreadable(fault.Message);
        }
    }

    private CliException Unreadable(string why) => new(
        ExitCodes.Failure,
        $"the answer of the hub at {Authority} cannot be read: {why}",
        "Compare the versions of hub and client ('edgevirt version').");

    private string Authority => target.Server.GetLeftPart(UriPartial.Authority);
}
