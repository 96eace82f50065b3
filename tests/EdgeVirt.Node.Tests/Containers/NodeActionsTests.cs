using System.Net;
using System.Net.Sockets;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Probes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Questions by network to real servers on loopback.</summary>
internal sealed class NodeActionsTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    private WebApplication server = null!;
    private NodeActions actions = null!;
    private int http;
    private int grpc;

    [OneTimeSetUp]
    public async Task StartServer()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        server = builder.Build();
        server.Run(AnswerAsync);
        await server.StartAsync();
        var ports = server.Urls.Select(url => new Uri(url).Port).ToList();
        (http, grpc) = (ports[0], ports[1]);
        actions = new NodeActions(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
    }

    [OneTimeTearDown]
    public async Task StopServer()
    {
        actions.Dispose();
        await server.DisposeAsync();
    }

    [TestCase("/status/200", null)]
    [TestCase("/status/204?x=1", null)]
    [TestCase("/status/302", null)]
    [TestCase("/status/404", "HTTP status 404")]
    [TestCase("/status/503", "HTTP status 503")]
    public async Task Http_counts_200_to_399_as_success(string path, string? message) =>
        Assert.That(await ActAsync(Get(path)), Is.EqualTo(new ActionAnswer(message is null, message)));

    [Test]
    public async Task Headers_are_sent_the_host_too()
    {
        var headers = new[] { new HttpHeader { Name = "Host", Value = "web.example" }, new HttpHeader { Name = "X-Key", Value = "42" } };
        Assert.That((await ActAsync(Get("/headers", headers))).Succeeded, Is.True);
        Assert.That((await ActAsync(Get("/headers"))).Message, Is.EqualTo("HTTP status 400"));
    }

    [Test]
    public async Task A_server_that_does_not_answer_is_given_up_in_time()
    {
        var answer = await actions.ActAsync(IPAddress.Loopback, Get("/hang"), TimeSpan.FromMilliseconds(300), default);
        Assert.That(answer, Is.EqualTo(ActionAnswer.Failed("no answer within 0.3 s")));
    }

    [Test]
    public void Who_asks_can_give_up()
    {
        using var end = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        Assert.That(() => actions.ActAsync(IPAddress.Loopback, Get("/hang"), Long, end.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task Tcp_asks_whether_somebody_listens()
    {
        Assert.That(await ActAsync(new ContainerAction.TcpSocket(http)), Is.EqualTo(ActionAnswer.Success));
        Assert.That(await ActAsync(new ContainerAction.TcpSocket(UnusedPort())), Is.EqualTo(ActionAnswer.Failed("Connection refused")));
        Assert.That((await ActAsync(new ContainerAction.HttpGet(new HttpGetAction { Port = UnusedPort() }))).Message, Is.EqualTo("Connection refused"));
    }

    [TestCase("", null)]
    [TestCase("good", null)]
    [TestCase("bad", "it is NOT_SERVING")]
    [TestCase("missing", "gRPC status NotFound")]
    [TestCase("other", "it does not serve grpc.health.v1.Health")]
    public async Task Grpc_asks_by_the_health_checking_protocol(string service, string? message) =>
        Assert.That(await ActAsync(new ContainerAction.Grpc(grpc, service)), Is.EqualTo(new ActionAnswer(message is null, message)));

    [Test]
    public async Task Grpc_at_a_server_that_speaks_something_else_is_a_failure()
    {
        Assert.That((await ActAsync(new ContainerAction.Grpc(http, ""))).Succeeded, Is.False);
        Assert.That((await ActAsync(new ContainerAction.Grpc(UnusedPort(), ""))).Succeeded, Is.False);
    }

    private Task<ActionAnswer> ActAsync(ContainerAction action) => actions.ActAsync(IPAddress.Loopback, action, Long, default);

    private ContainerAction.HttpGet Get(string path, IReadOnlyList<HttpHeader>? headers = null) => new(new HttpGetAction { Port = http, Path = path, HttpHeaders = headers });

    private static int UnusedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path == "/hang")
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        else if (path == "/headers")
        {
            context.Response.StatusCode = context.Request.Host.Host == "web.example" && context.Request.Headers["X-Key"] == "42" ? 200 : 400;
        }
        else if (path.StartsWith("/status/", StringComparison.Ordinal))
        {
            context.Response.StatusCode = int.Parse(path[8..]);
            context.Response.Headers.Location = "/elsewhere";
        }
        else if (path == "/grpc.health.v1.Health/Check")
        {
            // A message is a flag, four bytes of length, and protobuf: { 1: "service" }.
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            var service = body.Length > 7 ? System.Text.Encoding.UTF8.GetString(body.ToArray()[7..]) : "";
            context.Response.ContentType = "application/grpc";
            var status = service switch { "missing" => "5", "other" => "12", _ => "0" };
            if (status == "0")
            {
                await context.Response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, 2, 8, service == "bad" ? (byte)2 : (byte)1 });
            }

            context.Response.AppendTrailer("grpc-status", status);
        }
    }
}
