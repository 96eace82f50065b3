using System.Net;
using System.Security.Cryptography;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers.Images.Registries;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;

namespace EdgeVirt.Node.Tests.VirtualMachines.Disks;

/// <summary>Downloads from a server that does what the test says.</summary>
[Category("root")]
public sealed class DiskDownloadTests
{
    private readonly Server server = new();
    private DiskFiles files = null!;
    private HttpClient http = null!;
    private byte[] content = null!;

    [SetUp]
    public void SetUp()
    {
        files = new DiskFiles();
        http = new HttpClient(server, disposeHandler: false);
        content = File.ReadAllBytes(files.Qcow2("source", 64));
        server.Requests.Clear();
    }

    [TearDown]
    public void TearDown()
    {
        http.Dispose();
        files.Dispose();
    }

    [OneTimeTearDown]
    public void TearDownServer() => server.Dispose();

    [Test]
    public async Task Fetches_once()
    {
        server.Answer = _ => Whole(content);
        var fetched = await Task.WhenAll(FetchAsync(), FetchAsync());
        Assert.That(fetched, Has.All.EqualTo(new BaseDisk(Sha256, DiskFormat.Qcow2, 64 * DiskFiles.MiB)));
        Assert.That(server.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Goes_on_where_it_was_cut()
    {
        server.Answer = _ => Cut(HttpStatusCode.OK, content, 1000);
        await Assert.ThrowsAsync<DiskUnavailableException>(FetchAsync);
        server.Answer = request => Part(request, content);
        Assert.That((await FetchAsync()).Sha256, Is.EqualTo(Sha256));
        Assert.That(server.Requests.Select(request => request.Headers.Range?.ToString()), Is.EqualTo((string?[])[null, "bytes=1000-"]));
    }

    [Test]
    public async Task Begins_anew_where_the_server_gives_no_parts()
    {
        server.Answer = _ => Cut(HttpStatusCode.OK, content, 1000);
        await Assert.ThrowsAsync<DiskUnavailableException>(FetchAsync);
        server.Answer = _ => Whole(content);
        Assert.That((await FetchAsync()).Sha256, Is.EqualTo(Sha256));
    }

    [Test]
    public async Task A_download_that_is_whole_already_is_taken()
    {
        File.WriteAllBytes(files.Bases.PartOf(Sha256), content);
        server.Answer = _ => new HttpResponseMessage(HttpStatusCode.RequestedRangeNotSatisfiable);
        Assert.That((await FetchAsync()).Sha256, Is.EqualTo(Sha256));
    }

    [Test]
    public async Task Refuses_other_content_and_forgets_it()
    {
        var other = (byte[])content.Clone();
        other[^1] ^= 1;
        server.Answer = _ => Whole(other);
        var refused = (await Assert.ThrowsAsync<DiskRefusedException>(FetchAsync))!;
        Assert.That((refused.Reason, refused.Message), Is.EqualTo((DiskRefusedReason.ChecksumMismatch, refused.Message)));
        Assert.That(refused.Message, Does.Contain(Sha256));
        Assert.That(File.Exists(files.Bases.PartOf(Sha256)), Is.False);
    }

    [TestCase(HttpStatusCode.NotFound)]
    [TestCase(HttpStatusCode.InternalServerError)]
    [TestCase(HttpStatusCode.PartialContent)]
    public async Task Says_what_the_server_answered(HttpStatusCode code)
    {
        server.Answer = _ => new HttpResponseMessage(code) { Content = new ByteArrayContent([]) };
        Assert.That((await Assert.ThrowsAsync<DiskUnavailableException>(FetchAsync))!.Message, Does.Contain($"answers {(int)code}"));
    }

    [Test]
    public async Task Begins_nothing_that_does_not_fit()
    {
        files.AvailableBytes = DiskFiles.MiB + 10;
        server.Answer = _ => Whole(content);
        Assert.That((await Assert.ThrowsAsync<DiskUnavailableException>(FetchAsync))!.Message, Does.Contain("free space"));
    }

    private string Sha256 => Convert.ToHexStringLower(SHA256.HashData(content));

    private static HttpResponseMessage Whole(byte[] bytes) => new(HttpStatusCode.OK) { Content = new ByteArrayContent(bytes) };

    private static HttpResponseMessage Cut(HttpStatusCode code, byte[] bytes, int after) => new(code) { Content = new StreamContent(new CutStream(bytes[..after])) };

    private static HttpResponseMessage Part(HttpRequestMessage request, byte[] bytes)
    {
        var from = (int)request.Headers.Range!.Ranges.Single().From!.Value;
        var part = new ByteArrayContent(bytes[from..]);
        part.Headers.ContentRange = new System.Net.Http.Headers.ContentRangeHeaderValue(from, bytes.Length - 1, bytes.Length);
        return new HttpResponseMessage(HttpStatusCode.PartialContent) { Content = part };
    }

    private DiskDownload? download;

    private Task<BaseDisk> FetchAsync()
    {
        download ??= new DiskDownload(http, files.Bases, new ByteRate(0, TimeProvider.System), TimeProvider.System);
        return download.EnsureAsync(new DiskUrlSource { Location = "https://images.example/disk.qcow2", Sha256 = Sha256.ToUpperInvariant() }, default);
    }

    [TearDown]
    public void Forget() => download = null;

    private sealed class Server : HttpMessageHandler
    {
        public Func<HttpRequestMessage, HttpResponseMessage> Answer { get; set; } = null!;

        public List<HttpRequestMessage> Requests { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests.Add(request);
            return Task.FromResult(Answer(request));
        }
    }

    // Gives its bytes and then breaks.
    private sealed class CutStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is > 0 and var read ? read : throw new IOException("the connection was cut");
    }
}
