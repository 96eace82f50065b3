using System.IO.Hashing;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Nodes;
using EdgeVirt.Hub.Scheduling;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Hub.Sync;

/// <summary>
/// Brings nodes their newest document; see desired_state.proto. The session ends when the node has answered for the
/// newest revision, also one that appeared meanwhile.
/// </summary>
internal sealed partial class DesiredStateService(
    NodeRevisions revisions, NodeStatusWriter statuses, AuditLog audit, TimeProvider time, ILogger<DesiredStateService> logger)
    : DesiredState.DesiredStateBase
{
    private const int ChunkBytes = 64 << 10;
    private const int MaxReason = 512;
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromMinutes(2);

    public override async Task Session(
        IAsyncStreamReader<NodeMessage> requestStream, IServerStreamWriter<HubMessage> responseStream, ServerCallContext context)
    {
        var node = NodeCallInterceptor.NodeOf(context);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, node.Revoked);
        try
        {
            await RunAsync(node.Node, requestStream, responseStream, ending.Token);
        }
        catch (OperationCanceledException) when (node.Revoked.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, "The node was revoked."));
        }
        catch (TimeoutException)
        {
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, "The node did not answer in time."));
        }
    }

    private async Task RunAsync(
        string node, IAsyncStreamReader<NodeMessage> incoming, IServerStreamWriter<HubMessage> outgoing, CancellationToken ct)
    {
        var hello = (await NextAsync(incoming, ct))?.Hello ?? throw Violation("A session begins with Hello.");
        var answered = hello.Revision;
        var digest = hello.Digest.ToByteArray();
        var (partial, partialBytes) = (hello.PartialDigest, hello.PartialBytes);
        var refused = false;
        while (true)
        {
            var newest = await revisions.GetAsync(node, ct);
            if (newest is null || (answered == (ulong)newest.Revision && digest.AsSpan().SequenceEqual(newest.Digest)))
            {
                // A node that refused the newest revision is not up to date: its session just ends.
                if (!refused)
                {
                    await outgoing.WriteAsync(new HubMessage { UpToDate = new UpToDate { Revision = answered } }, ct);
                }

                return;
            }

            var resumeAt = partial.Span.SequenceEqual(newest.Digest) && partialBytes <= (ulong)newest.Document.Length ? (int)partialBytes : 0;
            await SendAsync(newest, resumeAt, outgoing, ct);
            var verdict = (await NextAsync(incoming, ct))?.Verdict ?? throw Violation("An offer is answered with Verdict.");
            if (verdict.Revision != (ulong)newest.Revision)
            {
                throw Violation($"The verdict is about revision {verdict.Revision}, offered was {newest.Revision}.");
            }

            await RecordAsync(node, newest.Revision, verdict, ct);

            // Refused or not: this revision has its answer, and only another is worth an offer.
            (answered, digest, partial, partialBytes, refused) = (verdict.Revision, newest.Digest, ByteString.Empty, 0, !verdict.Accepted);
        }
    }

    private static async Task SendAsync(NodeRevision revision, int resumeAt, IServerStreamWriter<HubMessage> outgoing, CancellationToken ct)
    {
        var offer = new Offer
        {
            Revision = (ulong)revision.Revision,
            Digest = ByteString.CopyFrom(revision.Digest),
            Size = (ulong)revision.Document.Length,
            ResumeAt = (ulong)resumeAt,
        };
        await outgoing.WriteAsync(new HubMessage { Offer = offer }, ct);
        for (var offset = resumeAt; offset < revision.Document.Length; offset += ChunkBytes)
        {
            var data = revision.Document.AsMemory(offset, Math.Min(ChunkBytes, revision.Document.Length - offset));
            var chunk = new Chunk
            {
                Offset = (ulong)offset,
                Data = UnsafeByteOperations.UnsafeWrap(data),
                Crc32 = Crc32.HashToUInt32(data.Span),
            };
            await outgoing.WriteAsync(new HubMessage { Chunk = chunk }, ct);
        }
    }

    private async Task RecordAsync(string node, long revision, Verdict verdict, CancellationToken ct)
    {
        var reason = verdict.Reason.Length <= MaxReason ? verdict.Reason : verdict.Reason[..MaxReason];
        await statuses.VerdictAsync(node, revision, verdict.Accepted, reason, ct);
        if (verdict.Accepted)
        {
            LogAccepted(node, revision);
        }
        else
        {
            await audit.WriteAsync($"node/{node}", "accept desired state", ok: false, $"revision {revision}: {reason}", ct);
        }
    }

    private async Task<NodeMessage?> NextAsync(IAsyncStreamReader<NodeMessage> incoming, CancellationToken ct) =>
        await incoming.MoveNext(ct).WaitAsync(AnswerTimeout, time, ct) ? incoming.Current : null;

    private static RpcException Violation(string message) => new(new Status(StatusCode.InvalidArgument, message));

    [LoggerMessage(LogLevel.Information, "node {Node}: accepted revision {Revision}")]
    private partial void LogAccepted(string node, long revision);
}
