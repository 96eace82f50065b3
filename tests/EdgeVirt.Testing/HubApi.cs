using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Testing;

/// <summary>A hub's public API as a test uses it: the same requests as any client's, with the hub's authority pinned.</summary>
public sealed class HubApi : IDisposable
{
    /// <summary>Speaks to a hub.</summary>
    /// <param name="address">Base address of the API.</param>
    /// <param name="authority">The hub's authority; nothing else is trusted.</param>
    /// <param name="token">Bearer token.</param>
    public HubApi(Uri address, X509Certificate2 authority, string token)
    {
        var handler = new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(1) };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            CustomTrustStore = { authority },
        };
        Client = new HttpClient(handler) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) };
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>For requests that have no method here.</summary>
    public HttpClient Client { get; }

    /// <summary>Applies manifests, YAML or JSON.</summary>
    public async Task<ApplyResult> ApplyAsync(string manifests)
    {
        using var body = new StringContent(manifests);
        using var answer = await Client.PostAsync(Relative("/api/v1/apply"), body);
        return await ReadAsync(answer, ContractsJson.Default.ApplyResult);
    }

    /// <summary>One resource; null: there is none.</summary>
    public async Task<Resource?> GetAsync(ResourceKind kind, string name)
    {
        using var answer = await Client.GetAsync(Relative($"/api/v1/{kind.Plural}/{name}"));
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await ReadAsync(answer, ContractsJson.Default.Resource);
    }

    /// <summary>Every resource of a kind.</summary>
    public async Task<ResourceList> ListAsync(ResourceKind kind)
    {
        using var answer = await Client.GetAsync(Relative($"/api/v1/{kind.Plural}"));
        return await ReadAsync(answer, ContractsJson.Default.ResourceList);
    }

    /// <summary>Deletes one resource; it must exist.</summary>
    public async Task DeleteAsync(ResourceKind kind, string name)
    {
        using var answer = await Client.DeleteAsync(Relative($"/api/v1/{kind.Plural}/{name}"));
        await CheckAsync(answer);
    }

    /// <summary>Makes a claim and a token for it.</summary>
    /// <returns>The token's text.</returns>
    public async Task<string> CreateClaimAsync(string name, int maxUses = 1)
    {
        await ApplyAsync(
            $$"""
            apiVersion: edgevirt.io/v1
            kind: BoardClaim
            metadata: { name: {{name}} }
            spec: { maxUses: {{maxUses}} }
            """);
        using var answer = await Client.PostAsync(Relative($"/api/v1/boardclaims/{name}/token"), null);
        return (await ReadAsync(answer, ContractsJson.Default.ClaimTokenIssued)).Token;
    }

    /// <summary>Stored telemetry.</summary>
    /// <param name="query">Without the question mark, e.g. <c>node=n1&amp;metric=system.cpu.time</c>.</param>
    public async Task<TelemetryQueryResult> QueryTelemetryAsync(string query)
    {
        using var answer = await Client.GetAsync(Relative($"/api/v1/telemetry?{query}"));
        return await ReadAsync(answer, ContractsJson.Default.TelemetryQueryResult);
    }

    /// <summary>The audit log, newest first.</summary>
    public async Task<IReadOnlyList<AuditEntry>> AuditAsync()
    {
        using var answer = await Client.GetAsync(Relative("/api/v1/audit"));
        return (await ReadAsync(answer, ContractsJson.Default.AuditList)).Items;
    }

    /// <summary>The status of a workload, or an empty one where it has none yet.</summary>
    public async Task<WorkloadStatus> WorkloadStatusAsync(string name) =>
        (await GetAsync(ResourceKind.Workload, name))?.Status is { } status
            ? status.Deserialize(ContractsJson.Default.WorkloadStatus)!
            : new WorkloadStatus();

    /// <summary>The status of a virtual machine, or an empty one where it has none yet.</summary>
    public async Task<VirtualMachineStatus> MachineStatusAsync(string name) =>
        (await GetAsync(ResourceKind.VirtualMachine, name))?.Status is { } status ? status.Deserialize(ContractsJson.Default.VirtualMachineStatus)! : new VirtualMachineStatus();

    /// <summary>Waits until a workload is Ready on a number of nodes.</summary>
    /// <exception cref="TimeoutException">It is not; the message holds its last status.</exception>
    public Task<WorkloadStatus> WaitForWorkloadAsync(string name, int readyInstances, TimeSpan timeout) =>
        WaitForAsync(
            $"workload {name} to be Ready on {readyInstances} node(s)",
            () => WorkloadStatusAsync(name),
            status => status.ReadyInstances == readyInstances && status.DesiredInstances == readyInstances,
            status => JsonSerializer.Serialize(status, ContractsJson.Default.WorkloadStatus),
            timeout);

    /// <summary>Asks until the answer fits; a hub that cannot be reached is asked again.</summary>
    /// <param name="what">Completes "waited in vain for …".</param>
    /// <param name="ask">The question.</param>
    /// <param name="fits">What to wait for.</param>
    /// <param name="describe">The answer in words, for the message.</param>
    /// <param name="timeout">How long.</param>
    public static async Task<T> WaitForAsync<T>(string what, Func<Task<T>> ask, Predicate<T> fits, Func<T, string> describe, TimeSpan timeout)
    {
        var clock = Stopwatch.StartNew();
        var last = "no answer";
        while (true)
        {
            try
            {
                var answer = await ask();
                if (fits(answer))
                {
                    return answer;
                }

                last = describe(answer);
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                last = e.Message;
            }

            if (clock.Elapsed > timeout)
            {
                throw new TimeoutException($"Waited {timeout.TotalSeconds:0.#} s in vain for {what}. Last: {last}");
            }

            await Task.Delay(50);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Client.Dispose();

    private static Uri Relative(string path) => new(path, UriKind.Relative);

    private static async Task<T> ReadAsync<T>(HttpResponseMessage answer, JsonTypeInfo<T> type)
    {
        await CheckAsync(answer);
        return await answer.Content.ReadFromJsonAsync(type) ?? throw new InvalidOperationException("The hub answered null.");
    }

    private static async Task CheckAsync(HttpResponseMessage answer)
    {
        if (!answer.IsSuccessStatusCode)
        {
            var body = await answer.Content.ReadAsStringAsync();
            throw new HttpRequestException($"{answer.RequestMessage?.Method} {answer.RequestMessage?.RequestUri}: {(int)answer.StatusCode} {body}", null, answer.StatusCode);
        }
    }
}
