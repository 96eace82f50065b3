using System.Net;
using System.Net.Http.Headers;
using System.Text;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>A registry that hands out what it likes, and asks for a token where it is told one.</summary>
internal sealed class FakeRegistry : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Dictionary<string, byte[]> _answers = [];
    private readonly Task _serving;
    private int _uses;

    public FakeRegistry()
    {
        Port = DockerRegistry.FreePort();
        _listener.Prefixes.Add($"http://127.0.0.1:{Port}/");
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port { get; }

    public string? Token { get; init; }

    /// <summary>Answered with 503 before anything else is.</summary>
    public int Failures { get; set; }

    /// <summary>Answers Range requests; else it gives everything whole.</summary>
    public bool HasRanges { get; init; }

    /// <summary>Changes the bytes of a part before they are given.</summary>
    public Action<byte[]>? SpoilRange { get; set; }

    public string? TokenQuery { get; private set; }

    /// <summary>The Authorization that a token is given for; null: any.</summary>
    public string? TokenFor { get; init; }

    /// <summary>After so many requests a token has run out; 0: never.</summary>
    public int TokenUses { get; init; }

    public int TokensGiven { get; private set; }

    /// <summary>What was posted for a token.</summary>
    public string? TokenForm { get; private set; }

    public List<string?> TokenAuthorizations { get; } = [];

    public void Serve(TestImage image, string repository, string tag)
    {
        Answer($"/v2/{repository}/manifests/{Digest.Of(image.Manifest)}", image.Manifest);
        Answer($"/v2/{repository}/manifests/{tag}", image.Manifest);
        Answer($"/v2/{repository}/blobs/{Digest.Of(image.Config)}", image.Config);
        foreach (var layer in image.Layers)
        {
            Answer($"/v2/{repository}/blobs/{Digest.Of(layer)}", layer);
        }
    }

    public void Answer(string path, byte[] content) => _answers[path] = content;

    public void Forget(string path) => _answers.Remove(path);

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
        _listener.Close();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                await RespondAsync(context.Request, context.Response);
            }
        }
        catch (Exception ended) when (ended is HttpListenerException or ObjectDisposedException || !_listener.IsListening)
        {
        }
    }

    private async Task RespondAsync(HttpListenerRequest request, HttpListenerResponse response)
    {
        var path = request.Url!.AbsolutePath;
        byte[] body = [];
        if (Failures > 0)
        {
            Failures--;
            response.StatusCode = 503;
        }
        else if (path == "/token")
        {
            TokenQuery = request.Url.Query;
            TokenAuthorizations.Add(request.Headers["Authorization"]);
            if (request.HttpMethod == "POST")
            {
                using var form = new StreamReader(request.InputStream);
                TokenForm = await form.ReadToEndAsync();
            }

            if (TokenFor is not null && request.Headers["Authorization"] != TokenFor)
            {
                response.StatusCode = 401;
            }
            else
            {
                _uses = 0;
                TokensGiven++;
                body = Encoding.UTF8.GetBytes($$"""{"token":"{{Token}}"}""");
            }
        }
        else if (Token is not null && (request.Headers["Authorization"] != $"Bearer {Token}" || (TokenUses > 0 && ++_uses > TokenUses)))
        {
            response.StatusCode = 401;
            response.AddHeader("WWW-Authenticate", $"Bearer realm=\"http://127.0.0.1:{Port}/token\",service=\"fake\"");
        }
        else if (_answers.TryGetValue(path, out var answer))
        {
            body = answer;
        }
        else
        {
            response.StatusCode = 404;
        }

        if (HasRanges && body.Length > 0 && RangeHeaderValue.TryParse(request.Headers["Range"], out var range))
        {
            var part = range.Ranges.Single();
            var (from, to) = ((int)part.From!.Value, (int)Math.Min(part.To ?? body.Length - 1, body.Length - 1));
            response.StatusCode = 206;
            response.AddHeader("Content-Range", $"bytes {from}-{to}/{body.Length}");
            body = body[from..(to + 1)];
            SpoilRange?.Invoke(body);
        }

        try
        {
            response.ContentLength64 = body.Length;
            await response.OutputStream.WriteAsync(body);
            response.Close();
        }
        catch (Exception gone) when (gone is HttpListenerException or IOException)
        {
            // Who asked wanted no more of it.
        }
    }
}
