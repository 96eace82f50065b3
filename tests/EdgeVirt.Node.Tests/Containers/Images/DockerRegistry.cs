using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>Debian's docker-registry as a child on a free port, of the loopback device unless said otherwise, its storage in a directory of the test.</summary>
internal sealed class DockerRegistry : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _configuration;
    private readonly string _scheme;
    private readonly (string Address, string? NetworkNamespace) _place;
    private Process? _process;

    /// <param name="directory">Of the test.</param>
    /// <param name="extra">Further lines of its configuration.</param>
    /// <param name="tls">By https, with this certificate.</param>
    /// <param name="place">Address, and a network namespace below /run/netns; absent: loopback, in the test's own.</param>
    public DockerRegistry(string directory, string extra = "", TestAuthority? tls = null, (string Address, string? NetworkNamespace)? place = null)
    {
        _place = place ?? ("127.0.0.1", null);
        Port = FreePort();
        _scheme = tls is null ? "http" : "https";
        _http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, seen, _, _) => seen?.GetCertHashString() == tls?.Thumbprint },
        });
        var encryption = tls is null ? "" : $", tls: {"{"} certificate: {tls.CertificateFile}, key: {tls.KeyFile} {"}"}";
        _configuration = Path.Combine(directory, "registry.yml");
        File.WriteAllText(_configuration, $"""
            version: 0.1
            log: {"{"} level: error {"}"}
            storage: {"{"} filesystem: {"{"} rootdirectory: {directory}/registry {"}"} {"}"}
            http: {"{"} addr: "{_place.Address}:{Port}"{encryption} {"}"}
            {extra}
            """);
    }

    public int Port { get; }

    public Uri Url => new($"{_scheme}://{_place.Address}:{Port}");

    public AuthenticationHeaderValue? Authorization { get; init; }

    public async Task StartAsync()
    {
        string[] within = _place.NetworkNamespace is { } name ? ["nsenter", $"--net=/run/netns/{name}", "--"] : [];
        string[] line = [.. within, "docker-registry", "serve", _configuration];
        _process = Process.Start(new ProcessStartInfo(line[0], line[1..]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                using var answer = await _http.GetAsync(new Uri(Url, "/v2/"));
                return;
            }
            catch (HttpRequestException) when (attempt < 200 && !_process.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }

    public void Stop()
    {
        _process?.Kill(entireProcessTree: true);
        _process?.WaitForExit();
        _process?.Dispose();
        _process = null;
    }

    public async Task PushAsync(TestImage image, string repository, string tag)
    {
        foreach (var blob in (byte[][])[.. image.Layers, image.Config])
        {
            await PushBlobAsync(repository, blob);
        }

        await PushManifestAsync(repository, tag, image.Manifest, "application/vnd.oci.image.manifest.v1+json");
    }

    public async Task PushManifestAsync(string repository, string tag, byte[] manifest, string type)
    {
        using var content = new ByteArrayContent(manifest);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using var answer = await SendAsync(HttpMethod.Put, new Uri(Url, $"/v2/{repository}/manifests/{tag}"), content);
    }

    public void Dispose()
    {
        Stop();
        _http.Dispose();
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task PushBlobAsync(string repository, byte[] blob)
    {
        using var begun = await SendAsync(HttpMethod.Post, new Uri(Url, $"/v2/{repository}/blobs/uploads/"), null);
        var at = new Uri(Url, begun.Headers.Location!);
        using var content = new ByteArrayContent(blob);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        var digest = Uri.EscapeDataString(EdgeVirt.Node.Containers.Images.Digest.Of(blob));
        using var done = await SendAsync(HttpMethod.Put, new Uri($"{at}{(at.Query.Length > 0 ? '&' : '?')}digest={digest}"), content);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri address, HttpContent? content)
    {
        using var request = new HttpRequestMessage(method, address) { Content = content };
        request.Headers.Authorization = Authorization;
        var answer = await _http.SendAsync(request);
        return answer.IsSuccessStatusCode ? answer : throw new InvalidOperationException($"{method} {address}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }
}
