using System.IO.Hashing;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Scheduling;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Hub.Tests.Sync;

internal sealed class DesiredStateServiceTests
{
    private const int Chunk = 64 << 10;

    private NodeHub hub = null!;
    private NodeClient node = null!;

    [SetUp]
    public async Task SetUp()
    {
        hub = await NodeHub.StartAsync();
        node = await hub.EnrollAsync("n1");
    }

    [TearDown]
    public async Task TearDown()
    {
        await node.DisposeAsync();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task Brings_the_newest_document_in_checked_chunks_and_records_that_it_was_accepted()
    {
        var document = await StoreAsync(200_000, 1);
        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello());

        var (offer, bytes) = await ReceiveAsync(session);
        Assert.That(bytes, Is.EqualTo(document));
        Assert.That(offer.Digest.ToByteArray(), Is.EqualTo(NodeDocument.DigestOf(document)));
        await VerdictAsync(session, offer.Revision, accepted: true);

        Assert.That((await NextAsync(session))!.UpToDate.Revision, Is.EqualTo(offer.Revision));
        Assert.That(await NextAsync(session), Is.Null);
        var status = await hub.StatusAsync("n1");
        Assert.That(status.DesiredRevision, Is.EqualTo((long)offer.Revision));
        Assert.That(Accepted(status).Status, Is.EqualTo(ConditionStatus.True));
    }

    [Test]
    public async Task Goes_on_where_a_broken_download_stopped()
    {
        var document = await StoreAsync(200_000, 1);
        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello { PartialDigest = ByteString.CopyFrom(NodeDocument.DigestOf(document)), PartialBytes = 150_000 });

        var (offer, bytes) = await ReceiveAsync(session);

        Assert.That(offer.ResumeAt, Is.EqualTo(150_000));
        Assert.That(bytes, Is.EqualTo(document[150_000..]));
    }

    [Test]
    public async Task Starts_from_the_beginning_when_the_part_is_of_another_document()
    {
        await StoreAsync(1000, 1);
        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello { PartialDigest = ByteString.CopyFrom(new byte[32]), PartialBytes = 10 });

        Assert.That((await ReceiveAsync(session)).Offer.ResumeAt, Is.Zero);
    }

    [Test]
    public async Task Records_why_a_node_refused_and_does_not_call_it_up_to_date()
    {
        await StoreAsync(1000, 1);
        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello());
        var (offer, _) = await ReceiveAsync(session);
        await VerdictAsync(session, offer.Revision, accepted: false, "no such thing");

        Assert.That(await NextAsync(session), Is.Null);
        var condition = Accepted(await hub.StatusAsync("n1"));
        Assert.That((condition.Status, condition.Reason), Is.EqualTo((ConditionStatus.False, DesiredStateReasons.Invalid)));
        Assert.That(condition.Message, Does.Contain("no such thing"));
        Assert.That((await hub.RefusalsAsync())[0].Reason, Does.Contain("no such thing"));
    }

    [Test]
    public async Task Offers_a_revision_that_appeared_during_the_session()
    {
        await StoreAsync(1000, 1);
        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello());
        var (first, _) = await ReceiveAsync(session);
        var newer = await StoreAsync(2000, 2);
        await VerdictAsync(session, first.Revision, accepted: true);

        var (second, bytes) = await ReceiveAsync(session);

        Assert.That(second.Revision, Is.GreaterThan(first.Revision));
        Assert.That(bytes, Is.EqualTo(newer));
    }

    [Test]
    public async Task Says_at_once_that_nothing_is_new()
    {
        var document = await StoreAsync(1000, 1);
        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello { Revision = 1, Digest = ByteString.CopyFrom(NodeDocument.DigestOf(document)) });

        Assert.That((await NextAsync(session))!.UpToDate.Revision, Is.EqualTo(1));
    }

    [Test]
    public async Task Serves_nodes_only_and_ends_with_their_identity()
    {
        await StoreAsync(1000, 1);
        await using var stranger = new NodeClient(hub);
        using var refused = stranger.DesiredState.Session();
        var refusal = await NodeHub.FailureAsync<RpcException>(() => NextAsync(refused));
        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.Unauthenticated));

        using var session = node.DesiredState.Session();
        await HelloAsync(session, new Hello());
        await ReceiveAsync(session);
        await hub.Get<NodeIdentities>().RevokeAsync("n1", "test", CancellationToken.None);
        var end = await NodeHub.FailureAsync<RpcException>(() => NextAsync(session));
        Assert.That(end.StatusCode, Is.EqualTo(StatusCode.Unauthenticated));
    }

    private async Task<byte[]> StoreAsync(int size, byte seed)
    {
        var document = new byte[size];
        new Random(seed).NextBytes(document);
        await hub.Get<NodeRevisions>().StoreAsync([new RenderedNode("n1", document, [])], CancellationToken.None);
        return document;
    }

    private static Condition Accepted(NodeStatus status) => status.Conditions.Single(condition => condition.Type == ConditionTypes.DesiredStateAccepted);

    private static Task HelloAsync(AsyncDuplexStreamingCall<NodeMessage, HubMessage> session, Hello hello) =>
        session.RequestStream.WriteAsync(new NodeMessage { Hello = hello });

    private static Task VerdictAsync(AsyncDuplexStreamingCall<NodeMessage, HubMessage> session, ulong revision, bool accepted, string reason = "") =>
        session.RequestStream.WriteAsync(new NodeMessage { Verdict = new Verdict { Revision = revision, Accepted = accepted, Reason = reason } });

    private static async Task<HubMessage?> NextAsync(AsyncDuplexStreamingCall<NodeMessage, HubMessage> session)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        return await session.ResponseStream.MoveNext(limit.Token) ? session.ResponseStream.Current : null;
    }

    private static async Task<(Offer Offer, byte[] Bytes)> ReceiveAsync(AsyncDuplexStreamingCall<NodeMessage, HubMessage> session)
    {
        var offer = (await NextAsync(session))!.Offer;
        var bytes = new List<byte>();
        while (offer.ResumeAt + (ulong)bytes.Count < offer.Size)
        {
            var chunk = (await NextAsync(session))!.Chunk;
            Assert.That(chunk.Offset, Is.EqualTo(offer.ResumeAt + (ulong)bytes.Count));
            Assert.That(chunk.Data.Length, Is.LessThanOrEqualTo(Chunk));
            Assert.That(chunk.Crc32, Is.EqualTo(Crc32.HashToUInt32(chunk.Data.Span)));
            bytes.AddRange(chunk.Data);
        }

        return (offer, [.. bytes]);
    }
}
