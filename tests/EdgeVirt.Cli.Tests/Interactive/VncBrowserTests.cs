using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

/// <summary>A browser, and those who would like to be it, before the page of <c>vnc --browser</c>.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class VncBrowserTests
{
    private const string Path = "/api/v1/virtualmachines/router/vnc";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<VncRequest> requests = [];
    private readonly CancellationTokenSource left = new();
    private FakeHub hub = null!;
    private CliRun cli = null!;
    private Task<CliOutcome> running = null!;
    private HttpClient browser = null!;
    private int port;

    private string Origin => $"http://127.0.0.1:{port}";

    [SetUp]
    public async Task SetUp()
    {
        hub = await FakeHub.StartAsync();
        cli = new CliRun(hub);
        port = FreePort();
        browser = new HttpClient { BaseAddress = new Uri(Origin), Timeout = Patience };
    }

    [TearDown]
    public async Task TearDown()
    {
        await left.CancelAsync();
        if (running is not null)
        {
            await running.ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Patience);
            running.Dispose();
        }

        browser.Dispose();
        cli.Dispose();
        left.Dispose();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Carries_bytes_both_ways_and_tells_the_page_who_took_the_display_over()
    {
        var secret = await StartAsync(async channel =>
        {
            await channel.AllowAsync(100);
            await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8("RFB 003.008\n") });
            await foreach (var message in channel.ReadAllAsync())
            {
                Assert.That(message.Data.ToStringUtf8(), Is.EqualTo("RFB 003.003\n"));
                break;
            }

            await channel.CloseAsync(CloseReason.Conflict, "The display of 'router' was taken over by 'bob'.");
        });
        var (session, machine) = await EnterAsync(secret);
        Assert.That(machine, Is.EqualTo("router"));
        using var page = await ConnectAsync(session);
        Assert.That(await NextAsync(page), Is.EqualTo("RFB 003.008\n"));
        await page.SendAsync(Encoding.ASCII.GetBytes("RFB 003.003\n"), WebSocketMessageType.Binary, true, default);
        Assert.That(await NextAsync(page), Is.Null);
        Assert.That((page.CloseStatus, page.CloseStatusDescription), Is.EqualTo(((WebSocketCloseStatus?)4000, "The display of 'router' was taken over by 'bob'.")));
        await page.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", default);
        var outcome = await running.WaitAsync(Patience);
        Assert.That((outcome.Code, outcome.Out), Is.EqualTo((ExitCodes.Conflict, $"{Origin}/#{secret}\n")));
        Assert.That(outcome.Error, Does.Contain("taken over by 'bob'").And.Contain("browser"));
        Assert.That(requests, Is.EqualTo((VncRequest[])[new() { Machine = "router", Probe = true }, new() { Machine = "router" }]));
    }

    [Test]
    public async Task The_secret_is_good_once_and_only_for_our_own_page()
    {
        var secret = await StartAsync(HoldAsync);
        Assert.That(await PostAsync("x" + secret[1..], Origin), Is.EqualTo(HttpStatusCode.Forbidden), "another secret");
        Assert.That(await PostAsync(secret, "http://evil.example"), Is.EqualTo(HttpStatusCode.Forbidden), "another page");
        Assert.That(await PostAsync(secret, null), Is.EqualTo(HttpStatusCode.Forbidden), "no page");
        Assert.That(await PostAsync(secret, Origin), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await PostAsync(secret, Origin), Is.EqualTo(HttpStatusCode.Forbidden), "it was used");
    }

    [Test]
    public async Task Nobody_but_our_own_page_is_connected_to_the_display()
    {
        var secret = await StartAsync(HoldAsync);
        await RefusedAsync(secret, Origin);
        var (session, _) = await EnterAsync(secret);
        await RefusedAsync(secret, Origin);
        await RefusedAsync("", Origin);
        await RefusedAsync(session[..^1], Origin);
        await RefusedAsync(session, "http://evil.example");
        await RefusedAsync(session, $"http://127.0.0.1:{port + 1}");
        await RefusedAsync(session, $"https://127.0.0.1:{port}");
        await RefusedAsync(session, "null");
        await RefusedAsync(session, null);
        Assert.That(requests, Has.Count.EqualTo(1), "the probe alone");
        using var page = await ConnectAsync(session);
        Assert.That(await NextAsync(page), Is.EqualTo("RFB 003.008\n"));
    }

    [TestCase("evil.example")]
    [TestCase("evil.example:PORT")]
    [TestCase("127.0.0.1")]
    [TestCase("127.0.0.1:1")]
    [TestCase("127.0.0.1.evil.example:PORT")]
    public async Task Under_another_name_there_is_nothing(string host)
    {
        var secret = await StartAsync(HoldAsync);
        var named = host.Replace("PORT", $"{port}", StringComparison.Ordinal);
        foreach (var request in (string[])["GET / HTTP/1.1", $"GET /display/{secret} HTTP/1.1", "GET /novnc/core/rfb.js HTTP/1.1"])
        {
            Assert.That(await RawAsync($"{request}\r\nHost: {named}\r\nOrigin: http://{named}\r\n\r\n"), Does.StartWith("HTTP/1.1 421 "));
        }

        Assert.That(await RawAsync($"POST /session HTTP/1.1\r\nHost: {named}\r\nOrigin: http://{named}\r\nContent-Length: {secret.Length}\r\n\r\n{secret}"), Does.StartWith("HTTP/1.1 421 "));
        Assert.That(await PostAsync(secret, Origin), Is.EqualTo(HttpStatusCode.OK), "it is not used up");
    }

    [Test]
    public async Task The_page_may_load_and_reach_nothing_but_what_it_came_from_and_has_its_librarys_licence()
    {
        await StartAsync(HoldAsync);
        foreach (var (path, type) in ((string, string)[])[("/", "text/html"), ("/display.js", "text/javascript"), ("/display.css", "text/css"), ("/novnc/core/rfb.js", "text/javascript")])
        {
            using var answer = await browser.GetAsync(new Uri(path, UriKind.Relative));
            Assert.That((answer.StatusCode, answer.Content.Headers.ContentType!.MediaType), Is.EqualTo((HttpStatusCode.OK, type)));
            Assert.That(answer.Headers.GetValues("Content-Security-Policy").Single(), Does.StartWith("default-src 'none'; script-src 'self';").And.Contain($"connect-src 'self' ws://127.0.0.1:{port};").And.Contain("frame-ancestors 'none'"));
            Assert.That(answer.Headers.GetValues("Cross-Origin-Resource-Policy").Single(), Is.EqualTo("same-origin"));
            Assert.That(answer.Headers.Contains("Access-Control-Allow-Origin"), Is.False);
        }

        Assert.That(await browser.GetStringAsync(new Uri("/novnc/LICENSE", UriKind.Relative)), Does.Contain("Mozilla Public License").And.Contain("Source Code Form").And.Contain("pako"));
        // What the page's library imports is all there.
        var rfb = await browser.GetStringAsync(new Uri("/novnc/core/rfb.js", UriKind.Relative));
        foreach (var import in rfb.Split('\n').Where(line => line.StartsWith("import ", StringComparison.Ordinal)).Select(line => line.Split('"', '\'')[1]))
        {
            using var answer = await browser.GetAsync(new Uri(new Uri(browser.BaseAddress!, "/novnc/core/"), import));
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), import);
        }

        foreach (var path in (string[])["/novnc/", "/../etc/passwd", "/novnc/../../etc/passwd", "/session", "/other", "//"])
        {
            Assert.That(await RawAsync($"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), Does.StartWith("HTTP/1.1 404 "), path);
        }
    }

    [TestCase("nonsense\r\n\r\n")]
    [TestCase("GET http://127.0.0.1/ HTTP/1.1\r\n\r\n")]
    [TestCase("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nHost: 127.0.0.1:2\r\n\r\n")]
    [TestCase("POST /session HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")]
    [TestCase("POST /session HTTP/1.1\r\nContent-Length: -1\r\n\r\n")]
    [TestCase("POST /session HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [TestCase("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\nGET / HTTP/1.1\r\n\r\n")]
    public async Task What_is_no_request_of_a_browser_is_refused(string said)
    {
        await StartAsync(HoldAsync);
        Assert.That(await RawAsync(said), Does.StartWith("HTTP/1.1 400 "));
        using var answer = await browser.GetAsync(new Uri("/", UriKind.Relative));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), "it goes on");
    }

    [Test]
    public async Task The_newest_page_has_the_display_and_the_one_before_is_told()
    {
        var secret = await StartAsync(HoldAsync);
        var (session, _) = await EnterAsync(secret);
        using var first = await ConnectAsync(session);
        Assert.That(await NextAsync(first), Is.EqualTo("RFB 003.008\n"));
        using var second = await ConnectAsync(session);
        Assert.That(await NextAsync(first), Is.Null);
        Assert.That(first.CloseStatusDescription, Does.Contain("once more"));
        await first.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", default);
        Assert.That(await NextAsync(second), Is.EqualTo("RFB 003.008\n"));
        Assert.That(requests[^1].Force, Is.True, "a node that has not noticed yet that the first one has gone gives it to the second");
    }

    [Test]
    public async Task A_display_that_cannot_be_reached_for_a_moment_is_told_in_the_page_which_may_come_again()
    {
        var attempts = 0;
        var secret = await StartAsync(channel => ++attempts == 1 ? channel.CloseAsync(CloseReason.Unavailable, "node 'n1' is not connected.") : HoldAsync(channel));
        var (session, _) = await EnterAsync(secret);
        using (var page = await ConnectAsync(session))
        {
            Assert.That(await NextAsync(page), Is.Null);
            Assert.That(page.CloseStatusDescription, Is.EqualTo("node 'n1' is not connected."));
        }

        using var again = await ConnectAsync(session);
        Assert.That(await NextAsync(again), Is.EqualTo("RFB 003.008\n"));
    }

    private static async Task HoldAsync(FakeChannel channel)
    {
        await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8("RFB 003.008\n") });
        await foreach (var _ in channel.ReadAllAsync())
        {
        }
    }

    // The address is printed when the command ends, in a test; the secret is what the page says that it took.
    private async Task<string> StartAsync(Func<FakeChannel, Task> serve)
    {
        FakeChannel.Serve(hub, Path, channel =>
        {
            requests.Add(channel.Opened.Vnc);
            return channel.Opened.Vnc.Probe ? channel.CloseAsync() : serve(channel);
        });
        var printed = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        cli.Printed = line => printed.TrySetResult(line);
        running = cli.RunAsync(left.Token, "vnc", "router", "--browser", "--port", $"{port}");
        await Task.WhenAny(printed.Task, running).WaitAsync(Patience);
        if (!printed.Task.IsCompleted)
        {
            Assert.Fail((await running).Error);
        }

        var address = new Uri(await printed.Task);
        Assert.That(address.GetLeftPart(UriPartial.Authority), Is.EqualTo(Origin));
        Assert.That(address.Fragment, Has.Length.EqualTo(1 + 43));
        return address.Fragment[1..];
    }

    private async Task<(string Session, string Machine)> EnterAsync(string secret)
    {
        using var request = Post(secret, Origin);
        using var answer = await browser.SendAsync(request);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        return (await answer.Content.ReadAsStringAsync()).Split('\n') is [var session, var machine] ? (session, machine) : throw new FormatException();
    }

    private async Task<HttpStatusCode> PostAsync(string secret, string? origin)
    {
        using var request = Post(secret, origin);
        using var answer = await browser.SendAsync(request);
        return answer.StatusCode;
    }

    private static HttpRequestMessage Post(string secret, string? origin)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/session", UriKind.Relative)) { Content = new StringContent(secret) };
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        return request;
    }

    private async Task<ClientWebSocket> ConnectAsync(string session, string? origin = "")
    {
        var socket = new ClientWebSocket();
        if (origin is not null)
        {
            socket.Options.SetRequestHeader("Origin", origin.Length == 0 ? Origin : origin);
        }

        using var limit = new CancellationTokenSource(Patience);
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/display/{session}"), limit.Token);
        return socket;
    }

    private async Task RefusedAsync(string session, string? origin) =>
        Assert.That((await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(session, origin)))!.Message, Does.Contain("403"));

    private static async Task<string?> NextAsync(ClientWebSocket socket)
    {
        var buffer = new byte[1000];
        using var limit = new CancellationTokenSource(Patience);
        var part = await socket.ReceiveAsync(buffer, limit.Token);
        return part.MessageType == WebSocketMessageType.Close ? null : Encoding.ASCII.GetString(buffer, 0, part.Count);
    }

    private async Task<string> RawAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(stream);
        return await reader.ReadLineAsync().WaitAsync(Patience) ?? "";
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
