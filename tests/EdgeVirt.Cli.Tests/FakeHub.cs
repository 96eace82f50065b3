using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using EdgeVirt.Cli.HubClient;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Cli.Tests;

/// <summary>A hub of canned answers behind real TLS, with an authority of its own.</summary>
internal sealed class FakeHub : IAsyncDisposable
{
    public const string Token = "evt-admin-token";
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> routes = new();

    private FakeHub(WebApplication app, X509Certificate2 authority)
    {
        this.app = app;
        Authority = authority;
    }

    public X509Certificate2 Authority { get; }

    public string Fingerprint => TrustAnchor.FingerprintOf(Authority);

    public string Url => app.Urls.Single().Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal);

    /// <summary>Method, path and query, body of each request that carried the token.</summary>
    public ConcurrentQueue<(string Line, string Body)> Requests { get; } = new();

    public IEnumerable<string> Lines => Requests.Select(request => request.Line);

    public static async Task<FakeHub> StartAsync(string certificateName = "127.0.0.1")
    {
        var (authority, server) = MakeCertificates(certificateName);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(server);
        }));
        builder.WebHost.UseKestrelHttpsConfiguration();
        var app = builder.Build();
        var hub = new FakeHub(app, authority);
        app.UseWebSockets();
        app.Run(hub.AnswerAsync);
        hub.Answer("GET /api/v1/version", """{"version":"0.1.0","apiVersion":"edgevirt.io/v1"}""");
        await app.StartAsync();
        return hub;
    }

    public void Answer(string line, string body, int status = 200) => Answer(line, async context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(body);
    });

    public void Answer(string line, Func<HttpContext, Task> answer) => routes[line] = answer;

    /// <summary>Answers whatever has this method and no answer of its own.</summary>
    public void AnswerAny(string method, Func<HttpContext, Task> answer) => routes[method] = answer;

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
        Authority.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var line = $"{context.Request.Method} {context.Request.Path}";
        if (line == "GET /api/v1/authority")
        {
            await context.Response.WriteAsync(Authority.ExportCertificatePem());
            return;
        }

        if (line != "GET /api/v1/version" && context.Request.Headers.Authorization != $"Bearer {Token}")
        {
            context.Response.StatusCode = 401;
            await context.Response.WriteAsync("""{"code":"Unauthorized","message":"no valid token"}""");
            return;
        }

        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        Requests.Enqueue(($"{line}{context.Request.QueryString}", context.WebSockets.IsWebSocketRequest ? "" : await reader.ReadToEndAsync()));
        if (routes.TryGetValue(line, out var answer) || routes.TryGetValue(context.Request.Method, out answer))
        {
            await answer(context);
            return;
        }

        context.Response.StatusCode = 404;
        await context.Response.WriteAsync("""{"code":"NotFound","message":"there is no such resource"}""");
    }

    private static (X509Certificate2 Authority, X509Certificate2 Server) MakeCertificates(string name)
    {
        var from = DateTimeOffset.UtcNow.AddDays(-1);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest("CN=Test authority", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        var authority = authorityRequest.CreateSelfSigned(from, from.AddDays(10));

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(name);
        }

        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(authority, from, from.AddDays(9), RandomNumberGenerator.GetBytes(8));
        using var withKey = issued.CopyWithPrivateKey(key);
        return (authority, X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pfx), null));
    }
}
