using System.Net;
using System.Text;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Images.Deltas;
using EdgeVirt.Node.Containers.Images.Registries;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Polly;

namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>
/// Answers of registries. The first byte says which: a challenge, whose headers are followed by the token service's answer; or
/// a raw answer to a request for a manifest, a part of a layer, or a layer.
/// </summary>
internal sealed class HeadersTarget : FuzzTarget
{
    private const int LayerBytes = 32;
    private static readonly string s_digest = Digest.Of(new byte[LayerBytes]);

    private readonly TempDirectory _directory = new();
    private readonly RawServer _server = new();
    private readonly DownloadTools _tools;
    private readonly RegistryAccess _access;

    public HeadersTarget()
    {
        _access = new RegistryAccess { Url = new Uri($"http://127.0.0.1:{_server.Port}") };
        var blobs = new BlobStore(_directory.Subdirectory("images"), _directory.Subdirectory("quarantine"), TimeProvider.System, NullLogger.Instance);
        Directory.CreateDirectory(_directory.Combine("images", "partial"));
        Directory.CreateDirectory(_directory.Combine("images", "blobs", "sha256"));
        _tools = new DownloadTools(blobs, _ => { }, new ByteRate(0, TimeProvider.System), TimeSpan.FromSeconds(5), TimeProvider.System);
        var body = new string('\0', LayerBytes);
        Corpus =
        [
            Bytes("cBearer realm=\"https://auth.local/token?x=1\",service=\"registry.local\",scope=\"repository:app:pull\",error=\"invalid_token\"\nBasic realm=\"registry\"\n\n{\"token\":\"abc.def\",\"expires_in\":300}"),
            Bytes("cBasic realm=\"registry\"\n\n{\"access_token\":\"abc\"}"),
            Bytes($"mHTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: {s_digest}\r\nLink: </v2/_catalog?n=1>; rel=\"next\"\r\nContent-Length: 2\r\n\r\n{{}}"),
            Bytes($"rHTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-15/{LayerBytes}\r\nContent-Length: 16\r\n\r\n{body[..16]}"),
            Bytes($"lHTTP/1.1 200 OK\r\nContent-Length: {LayerBytes}\r\nETag: \"x\"\r\n\r\n{body}"),
            Bytes($"lHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{body[..16]}\r\n10\r\n{body[..16]}\r\n0\r\n\r\n"),
            Bytes("mHTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"),
        ];
    }

    public override string Name => "headers";

    public override IReadOnlyList<byte[]> Corpus { get; }

    public override void Take(byte[] input) => TakeAsync(input).GetAwaiter().GetResult();

    public override void Dispose()
    {
        _server.Dispose();
        _directory.Dispose();
        base.Dispose();
    }

    private async Task TakeAsync(byte[] input)
    {
        try
        {
            if (input is [(byte)'c', ..])
            {
                await ChallengeAsync(Encoding.Latin1.GetString(input, 1, input.Length - 1));
            }
            else if (input.Length > 0 && !LeadsElsewhere(input))
            {
                await AnswerAsync(input[0], input[1..]);
            }
        }
        catch (Exception documented) when (documented is ImagePullException or ImageRefusedException or NoDeltaException)
        {
        }
    }

    /// <summary>A target never leaves the loopback.</summary>
    private static bool LeadsElsewhere(byte[] input)
    {
        var text = Encoding.Latin1.GetString(input);
        return text.Contains("location", StringComparison.OrdinalIgnoreCase) || text.Contains("realm", StringComparison.OrdinalIgnoreCase);
    }

    private async Task ChallengeAsync(string text)
    {
        var parts = text.Split("\n\n", 2);
        using var http = new HttpClient(new TokenService(parts.Length > 1 ? parts[1] : ""));
        using var authorization = new RegistryAuthorization(http, _access, "app", [new RegistryCredential { Username = "node", Password = "secret" }]);
        using var challenged = new HttpResponseMessage(HttpStatusCode.Unauthorized) { RequestMessage = new HttpRequestMessage(HttpMethod.Get, new Uri(_access.Url, "/v2/app/x")) };
        foreach (var line in parts[0].Split('\n'))
        {
            challenged.Headers.TryAddWithoutValidation("WWW-Authenticate", line);
        }

        if (await authorization.AnswerAsync(challenged, null, CancellationToken.None))
        {
            Require(authorization.Current is not null, "there is an answer, but nothing to send");
            using var request = new HttpRequestMessage { Headers = { Authorization = authorization.Current } };
            Require(!request.Headers.ToString().TrimEnd('\r', '\n').Contains('\n', StringComparison.Ordinal), "a token makes a header of its own");
        }
    }

    private async Task AnswerAsync(byte kind, byte[] answer)
    {
        _server.Answer = answer;
        var layer = new Descriptor { Digest = s_digest, Size = LayerBytes };
        using var client = new RegistryClient("registry.local", "app", _access, [], TimeSpan.FromSeconds(10), connections: 1);
        if (kind == 'r')
        {
            using var spool = new RangeSpool(_directory.Combine("ranges"));
            var range = new ByteRange(0, LayerBytes / 2);
            try
            {
                await new RangeDownload(client, _tools, ResiliencePipeline.Empty, new PullBudget(null)).RunAsync(layer, [range], spool, _ => { }, CancellationToken.None);
                Require(!spool.Missing(range).Any(), "a part is said to be here and is not");
            }
            finally
            {
                File.Delete(_directory.Combine("ranges"));
            }
        }
        else if (kind == 'l')
        {
            try
            {
                await new LayerDownload(client, _tools, ResiliencePipeline.Empty, new PullBudget(null)).RunAsync(layer, _ => { }, CancellationToken.None);
                Require(Digest.Of(File.ReadAllBytes(_tools.Blobs.PathOf(s_digest))) == s_digest, "a layer with another digest is kept");
            }
            finally
            {
                _tools.Blobs.Remove(s_digest);
            }
        }
        else
        {
            using var source = new RegistrySource(client, _tools.Blobs, default, ResiliencePipeline.Empty, keepLayers: false);
            var manifest = await source.FetchManifestAsync("v1", CancellationToken.None);
            Require(manifest.Length <= ImageManifest.MaxDocumentBytes, "a manifest is too large");
        }
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>Gives the same body, whoever asks for a token; nothing goes over a network.</summary>
    private sealed class TokenService(string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(Encoding.Latin1.GetBytes(body)) });
    }
}
