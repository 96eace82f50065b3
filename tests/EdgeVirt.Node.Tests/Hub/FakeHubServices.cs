using System.IO.Hashing;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Node.Tests.Hub;

internal sealed class FakeEnrollment(FakeHub hub) : Enrollment.EnrollmentBase
{
    public override Task<GetAuthorityResponse> GetAuthority(GetAuthorityRequest request, ServerCallContext context) =>
        Task.FromResult(new GetAuthorityResponse { CertificateDer = ByteString.CopyFrom(hub.Authority.RawData) });

    public override Task<EnrollResponse> Enroll(EnrollRequest request, ServerCallContext context)
    {
        if (!hub.Takes(request))
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, "The claim token is not valid."));
        }

        var answer = hub.Enroll(request);
        return hub.LosesAnswers ? throw new RpcException(new Status(StatusCode.Unavailable, "the link broke")) : Task.FromResult(answer);
    }

    public override Task<RenewResponse> Renew(RenewRequest request, ServerCallContext context) =>
        hub.Revoked || context.GetHttpContext().Connection.ClientCertificate is not { } certificate
            ? throw new RpcException(new Status(StatusCode.PermissionDenied, "revoked"))
            : Task.FromResult(hub.Renew(request, certificate.Subject[3..]));
}

internal sealed class FakeDesiredState(FakeHub hub) : DesiredState.DesiredStateBase
{
    private const int ChunkBytes = 1000;

    public override async Task Session(IAsyncStreamReader<NodeMessage> requests, IServerStreamWriter<HubMessage> responses, ServerCallContext context)
    {
        await requests.MoveNext(context.CancellationToken);
        var hello = requests.Current.Hello;
        await hub.Hellos.Writer.WriteAsync(hello);
        var digest = hub.Offer is { } offered ? NodeDocument.DigestOf(offered.Bytes) : [];
        if (hub.Offer is not { } offer || hello.Digest.Span.SequenceEqual(digest))
        {
            await responses.WriteAsync(new HubMessage { UpToDate = new UpToDate { Revision = hello.Revision } });
            return;
        }

        var at = hello.PartialDigest.Span.SequenceEqual(digest) ? (int)hello.PartialBytes : 0;
        await responses.WriteAsync(new HubMessage
        {
            Offer = new Offer { Revision = offer.Revision, Digest = ByteString.CopyFrom(digest), Size = (ulong)offer.Bytes.Length, ResumeAt = (ulong)at },
        });
        for (var sent = 0; at < offer.Bytes.Length; sent++)
        {
            if (sent == hub.BreakAfterChunks)
            {
                hub.BreakAfterChunks = null;
                throw new RpcException(new Status(StatusCode.Unavailable, "the link broke"));
            }

            var data = offer.Bytes[at..Math.Min(at + ChunkBytes, offer.Bytes.Length)];
            await responses.WriteAsync(new HubMessage
            {
                Chunk = new Chunk { Offset = (ulong)at, Crc32 = Crc32.HashToUInt32(data), Data = ByteString.CopyFrom(hub.Damage(data)) },
            });
            at += data.Length;
        }

        if (await requests.MoveNext(context.CancellationToken))
        {
            await hub.Verdicts.Writer.WriteAsync(requests.Current.Verdict);
        }
    }
}

/// <summary>The hub's end of a tunnel that a node dialled.</summary>
internal sealed record FakeTunnel(IAsyncStreamReader<TunnelFrame> FromNode, IServerStreamWriter<TunnelFrame> ToNode, TaskCompletionSource HangUp);

internal sealed class FakeTunnelService(FakeHub hub) : Tunnel.TunnelBase
{
    public override async Task Connect(IAsyncStreamReader<TunnelFrame> requests, IServerStreamWriter<TunnelFrame> responses, ServerCallContext context)
    {
        var tunnel = new FakeTunnel(requests, responses, new TaskCompletionSource());
        await hub.Tunnels.Writer.WriteAsync(tunnel);
        await tunnel.HangUp.Task.WaitAsync(context.CancellationToken);
    }
}
