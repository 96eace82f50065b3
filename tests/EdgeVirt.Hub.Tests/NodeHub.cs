using System.Net;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Broker;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Nodes;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Scheduling;
using EdgeVirt.Hub.Storage;
using EdgeVirt.Hub.Sync;
using EdgeVirt.Hub.Tunnels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EdgeVirt.Hub.Tests;

/// <summary>The node-facing side of a hub, real down to TLS, on loopback ports and a directory of its own.</summary>
internal sealed class NodeHub : IAsyncDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("hub-").FullName;
    private WebApplication app = null!;

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    public FakeTelemetry Telemetry { get; } = new();

    public int NodePort { get; private set; }

    public int MqttPort => Get<HubEndpoints>().MqttPort;

    public static async Task<NodeHub> StartAsync()
    {
        var hub = new NodeHub();
        await hub.RunAsync();
        return hub;
    }

    public T Get<T>()
        where T : notnull => app.Services.GetRequiredService<T>();

    /// <summary>Makes a claim and a token for it.</summary>
    public async Task<string> ClaimAsync(string name, int uses = 1, bool revoked = false)
    {
        await ApplyClaimAsync(name, new BoardClaimSpec { MaxUses = uses, Revoked = revoked, NodeLabels = new Dictionary<string, string> { ["site"] = "oslo" } });
        return (await Get<ClaimTokens>().IssueAsync(name, CancellationToken.None))!.Token;
    }

    public Task ApplyClaimAsync(string name, BoardClaimSpec spec) => Get<ResourceStore>().ApplyAsync(
        [
            new Resource
            {
                Kind = ResourceKind.BoardClaim.Name,
                Metadata = new Metadata { Name = name },
                Spec = JsonSerializer.SerializeToElement(spec, ContractsJson.Default.BoardClaimSpec),
            },
        ],
        CancellationToken.None);

    /// <summary>A node that enrolled.</summary>
    public async Task<NodeClient> EnrollAsync(string name)
    {
        var node = new NodeClient(this);
        await node.EnrollAsync(await ClaimAsync($"claim-of-{name}"), name);
        return node;
    }

    public async Task<NodeStatus> StatusAsync(string node) =>
        NodeStatusWriter.StatusOf((await Get<ResourceStore>().GetAsync(ResourceKind.Node, node, CancellationToken.None))!);

    public Task<IReadOnlyList<AuditEntry>> RefusalsAsync() => RefusalsAsync(Get<AuditLog>());

    public async Task RestartAsync()
    {
        await app.DisposeAsync();
        await RunAsync();
    }

    /// <summary>Waits until something holds; fails with what it is after ten seconds.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> holds, string what)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (!await holds())
        {
            Assert.That(limit.IsCancellationRequested, Is.False, $"not within 10 seconds: {what}");
            await Task.Delay(20);
        }
    }

    /// <summary>The exception with which something must end.</summary>
    public static async Task<TException> FailureAsync<TException>(Func<Task> action)
        where TException : Exception
    {
        try
        {
            await action();
        }
        catch (TException expected)
        {
            return expected;
        }

        throw new AssertionException($"{typeof(TException).Name} was expected, and nothing failed.");
    }

    public async ValueTask DisposeAsync()
    {
        Telemetry.Release();
        await app.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<IReadOnlyList<AuditEntry>> RefusalsAsync(AuditLog audit) =>
        [.. (await audit.ReadAsync(100, CancellationToken.None)).Where(entry => entry.Outcome == "refused")];

    private async Task RunAsync()
    {
        var options = new HubOptions { DataDir = directory, Listen = [IPAddress.Loopback], ApiPort = 0, NodePort = 0, MqttPort = 0 };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(https =>
            {
                https.ServerCertificateSelector = (_, _) => Get<CertificateAuthority>().ServerCertificate;
                https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                https.ClientCertificateValidation = (certificate, _, _) => Get<NodeAuthentication>().IsOurs(certificate);
            });
        }));
        builder.Services
            .AddSingleton(options)
            .AddSingleton<TimeProvider>(Time)
            .AddSingleton<HubEndpoints>()
            .AddStorage(options)
            .AddAudit()
            .AddResources()
            .AddSingleton<NodeRevisions>()
            .AddSingleton<InstanceStatuses>()
            .AddSingleton<IUpstream>(Telemetry)
            .AddEnrollment()
            .AddNodes()
            .AddBroker()
            .AddSync()
            .AddTunnels();
        app = builder.Build();
        app.MapEnrollment();
        app.MapSync();
        app.MapTunnels();
        await app.StartAsync();
        NodePort = new Uri(app.Urls.Single()).Port;
    }
}

/// <summary>Stands where telemetry is stored; fails or waits when told to.</summary>
internal sealed class FakeTelemetry : IUpstream
{
    private TaskCompletionSource gate = Open();

    public TopicChannel Channel => TopicChannel.Telemetry;

    public Exception? Failure { get; set; }

    /// <summary>The node that <see cref="Hold"/> holds back; null: all.</summary>
    public string? Held { get; set; }

    public List<string> Stored { get; } = [];

    public TaskCompletionSource Waiting { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Hold() => gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release() => gate.TrySetResult();

    public async Task AcceptAsync(NodeConnection connection, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        if (Held is null || Held == connection.Node)
        {
            Waiting.TrySetResult();
            await gate.Task.WaitAsync(ct);
        }

        if (Failure is { } failure)
        {
            throw failure;
        }

        lock (Stored)
        {
            Stored.Add(connection.Node);
        }
    }

    private static TaskCompletionSource Open()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }
}
