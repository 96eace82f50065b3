using System.Buffers;
using System.IO.Hashing;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.State;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// One conversation about the desired state: says what is here, takes what is new in chunks, checks it, puts it in
/// force and says so. A document that is not valid is refused with the reason; the last accepted one stays in force.
/// </summary>
internal sealed partial class DesiredStateSession(
    NodeStore store, PartialRevision partial, IdentityFiles identities, HubChannels channels, NodeConditions conditions, ILogger<DesiredStateSession> log)
{
    /// <summary>Largest document that is taken.</summary>
    public const ulong MostBytes = 16 << 20;

    /// <summary>Runs until the hub has nothing more to say.</summary>
    /// <exception cref="HubUnavailableException">The link broke, or what came was not whole: try again later.</exception>
    public async Task<bool> RunAsync(CancellationToken ct)
    {
        using var connection = channels.Open();
        using var call = new DesiredState.DesiredStateClient(connection.Invoker).Session(cancellationToken: ct);
        try
        {
            await ConverseAsync(call, ct);
            return true;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled && ct.IsCancellationRequested)
        {
            throw new OperationCanceledException(ct);
        }
        catch (RpcException e)
        {
            throw connection.Explain(e);
        }
    }

    private async Task ConverseAsync(AsyncDuplexStreamingCall<NodeMessage, HubMessage> call, CancellationToken ct)
    {
        var desired = await store.ReadDesiredAsync(ct);
        var download = new Download(partial);
        await call.RequestStream.WriteAsync(
            new NodeMessage
            {
                Hello = new Hello
                {
                    Revision = desired.Digest.IsEmpty ? 0 : desired.Revision,
                    Digest = ByteString.CopyFrom(desired.Digest.Span),
                    PartialDigest = ByteString.CopyFrom(download.Digest),
                    PartialBytes = (ulong)download.Length,
                },
            },
            ct);
        while (await call.ResponseStream.MoveNext(ct))
        {
            switch (call.ResponseStream.Current)
            {
                case { KindCase: HubMessage.KindOneofCase.UpToDate }:
                    if (download.RunsOn is null)
                    {
                        Accepted();
                    }

                    await call.RequestStream.CompleteAsync();
                    break;
                case { Offer: { } offer }:
                    if (RefusalOf(offer) is { } refusal)
                    {
                        await RefuseAsync(call, offer.Revision, DesiredStateReasons.Unreadable, refusal, ct);
                        break;
                    }

                    download.Begin(offer);
                    await FinishAsync(call, download, ct);
                    break;
                case { Chunk: { } chunk }:
                    download.Add(chunk);
                    await FinishAsync(call, download, ct);
                    break;
            }
        }

        // Last, for the hub notes the verdict as that of any revision.
        if (download.RunsOn is { } reason)
        {
            conditions.Set(ConditionTypes.DesiredStateAccepted, ConditionStatus.True, DesiredStateReasons.HubBeforeRunsOn, reason);
        }
    }

    private static string? RefusalOf(Offer offer) =>
        offer.Size > MostBytes ? $"the document has {offer.Size} bytes; this node takes at most {MostBytes}"
        : offer.Digest.Length != System.Security.Cryptography.SHA256.HashSizeInBytes ? "the offer's digest is no SHA-256"
        : null;

    private async Task FinishAsync(AsyncDuplexStreamingCall<NodeMessage, HubMessage> call, Download download, CancellationToken ct)
    {
        if (download.TakeWhole() is not { } bytes)
        {
            return;
        }

        var revision = download.Revision;
        if (ProblemOf(bytes, out var reason) is { } problem)
        {
            await RefuseAsync(call, revision, reason, problem, ct);
            return;
        }

        try
        {
            download.RunsOn = await RunsOnAsync(revision, store.ReadDocument(bytes), ct);
            if (download.RunsOn is null)
            {
                await store.AcceptDesiredAsync(revision, bytes, ct);
                LogAccepted(revision);
            }
            else
            {
                LogRunsOn(download.RunsOn);
            }
        }
        catch (IOException e)
        {
            throw new HubUnavailableException($"Revision {revision} could not be stored: {e.Message}", e);
        }

        if (download.RunsOn is null)
        {
            Accepted();
        }

        await call.RequestStream.WriteAsync(new NodeMessage { Verdict = new Verdict { Revision = revision, Accepted = true } }, ct);
    }

    // A hub that has nothing for a node that moved to it has not got to it yet. The machine that the node is a part of works on until it has.
    private async Task<string?> RunsOnAsync(ulong revision, NodeDocument offered, CancellationToken ct)
    {
        if (!identities.KeepsDesired)
        {
            return null;
        }

        if (CountOf(offered) == 0 && (await store.ReadDesiredAsync(ct)).Document is { } before && CountOf(before) is > 0 and var count)
        {
            return $"Revision {revision} has nothing for this node to run, which came from another hub. What that one wanted ({count} in number) runs on until a revision has something.";
        }

        identities.DesiredReplaced();
        return null;
    }

    private static int CountOf(NodeDocument document) => document.Workloads.Count + (document.VirtualMachines?.Count ?? 0);

    private string? ProblemOf(byte[] bytes, out string reason)
    {
        reason = DesiredStateReasons.Unreadable;
        try
        {
            var document = store.ReadDocument(bytes);
            reason = DesiredStateReasons.Invalid;
            return NodeDocumentValidation.ProblemOf(document, identities.Current?.Node ?? "");
        }
        catch (JsonException e)
        {
            return e.Message;
        }
    }

    private async Task RefuseAsync(
        AsyncDuplexStreamingCall<NodeMessage, HubMessage> call, ulong revision, string reason, string problem, CancellationToken ct)
    {
        LogRefused(revision, problem);
        conditions.Set(ConditionTypes.DesiredStateAccepted, ConditionStatus.False, reason, $"Revision {revision} was refused: {problem}");
        await call.RequestStream.WriteAsync(new NodeMessage { Verdict = new Verdict { Revision = revision, Accepted = false, Reason = problem } }, ct);
    }

    private void Accepted() => conditions.Set(ConditionTypes.DesiredStateAccepted, ConditionStatus.True, DesiredStateReasons.Accepted);

    [LoggerMessage(Level = LogLevel.Information, Message = "Desired revision {Revision} is in force")]
    private partial void LogAccepted(ulong revision);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Message}")]
    private partial void LogRunsOn(string message);

    [LoggerMessage(Level = LogLevel.Error, Message = "Desired revision {Revision} is refused: {Problem}")]
    private partial void LogRefused(ulong revision, string problem);

    /// <summary>A document as it comes in; what has come is on disk.</summary>
    private sealed class Download
    {
        private readonly PartialRevision partial;
        private readonly ArrayBufferWriter<byte> bytes = new();
        private Offer? offer;

        public Download(PartialRevision partial)
        {
            this.partial = partial;
            var (digest, begun) = partial.Read();
            Digest = digest;
            bytes.Write(begun);
        }

        public byte[] Digest { get; private set; }

        public long Length => bytes.WrittenCount;

        public ulong Revision => offer!.Revision;

        /// <summary>Why what is in force stays so; null: it does not.</summary>
        public string? RunsOn { get; set; }

        public void Begin(Offer next)
        {
            var resumes = next.ResumeAt > 0 && next.ResumeAt == (ulong)bytes.WrittenCount && next.Digest.Span.SequenceEqual(Digest);
            if (next.ResumeAt > 0 && !resumes)
            {
                partial.Clear();
                throw new HubUnavailableException("The hub wants to go on in a document that is not here.");
            }

            if (!resumes)
            {
                bytes.ResetWrittenCount();
            }

            offer = next;
            Digest = next.Digest.ToByteArray();
        }

        public void Add(Chunk chunk)
        {
            if (offer is null || chunk.Offset != (ulong)bytes.WrittenCount || chunk.Offset + (ulong)chunk.Data.Length > offer.Size || chunk.Data.IsEmpty)
            {
                throw new HubUnavailableException("A chunk came that was not due.");
            }

            if (Crc32.HashToUInt32(chunk.Data.Span) != chunk.Crc32)
            {
                throw new HubUnavailableException("A chunk was damaged on its way.");
            }

            partial.Append(Digest, bytes.WrittenCount, chunk.Data.Span);
            bytes.Write(chunk.Data.Span);
        }

        /// <summary>All bytes once they are here and are what was offered; null: more is to come.</summary>
        public byte[]? TakeWhole()
        {
            if (offer is null || (ulong)bytes.WrittenCount < offer.Size)
            {
                return null;
            }

            var whole = bytes.WrittenSpan.ToArray();
            bytes.ResetWrittenCount();
            partial.Clear();
            if (!NodeDocument.DigestOf(whole).AsSpan().SequenceEqual(Digest))
            {
                throw new HubUnavailableException("The document does not match its digest.");
            }

            return whole;
        }
    }
}
