using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Audit;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>What enrollment answers with: the authority, the MQTT port, the time.</summary>
internal sealed class EnrollmentIssuer(CertificateAuthority authority, HubEndpoints endpoints, TimeProvider time)
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(30);

    public ByteString Authority => ByteString.CopyFrom(authority.AuthorityDer);

    public uint MqttPort => (uint)endpoints.MqttPort;

    public long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    public ByteString Issue(NodeCertificateRequest request, string node) =>
        ByteString.CopyFrom(authority.IssueNodeCertificate(request, node, Validity));
}

/// <summary>How a board becomes a node and keeps its certificate; see enrollment.proto. Every refusal is on the audit log.</summary>
internal sealed class EnrollmentService(
    ClaimTokens claims, Enroller enroller, EnrollmentIssuer issuer, NodeAuthentication authentication, RefusedAttempts refused, AuditLog audit)
    : EdgeVirt.Contracts.Protos.Enrollment.EnrollmentBase
{
    private const string WrongToken = "The claim token is not valid. Ask the operator for a new one.";

    public override Task<GetAuthorityResponse> GetAuthority(GetAuthorityRequest request, ServerCallContext context) =>
        Task.FromResult(new GetAuthorityResponse { CertificateDer = issuer.Authority });

    public override async Task<EnrollResponse> Enroll(EnrollRequest request, ServerCallContext context)
    {
        const string Action = "enroll";
        RefuseIfBlocked(context, Action);
        if (!ClaimToken.TryParse(request.ClaimToken, out var token))
        {
            throw await RefuseAsync(context, Action, "the text is no claim token", StatusCode.Unauthenticated, WrongToken);
        }

        if (NodeCertificateRequest.TryRead(request.CertificateRequestDer.Span, out var problem) is not { } csr)
        {
            throw await RefuseAsync(context, Action, problem, StatusCode.InvalidArgument, $"Refused: {problem}.");
        }

        if (request.RequestedName.Length > 0 && ResourceName.Problem(request.RequestedName) is { } wrong)
        {
            throw await RefuseAsync(context, Action, "the requested name is no DNS label", StatusCode.InvalidArgument, $"The node name {wrong}.");
        }

        var redemption = await claims.RedeemAsync(token, csr.KeyHash(), request.RequestedName, context.CancellationToken);
        if (redemption.Outcome != RedemptionOutcome.Accepted)
        {
            var (code, message) = Answer(redemption);
            throw await RefuseAsync(context, Action, redemption.Detail, code, message);
        }

        await enroller.RecordAsync(redemption, request.Board, context.CancellationToken);
        await audit.WriteAsync(
            $"node/{redemption.Node}", Action, ok: true, $"{(redemption.Repeated ? "repeated" : "joined")} by claim '{token.Claim}' from {AddressOf(context)}", context.CancellationToken);
        return new EnrollResponse
        {
            NodeName = redemption.Node,
            CertificateDer = issuer.Issue(csr, redemption.Node),
            AuthorityDer = issuer.Authority,
            HubTimeUnixMs = issuer.Now,
            MqttPort = issuer.MqttPort,
        };
    }

    public override async Task<RenewResponse> Renew(RenewRequest request, ServerCallContext context)
    {
        const string Action = "renew";
        var certificate = context.GetHttpContext().Connection.ClientCertificate;
        var check = authentication.Check(certificate, allowExpired: true);
        if (check.Node is not { } node)
        {
            var code = check.Refusal == NodeRefusal.NoCertificate ? StatusCode.Unauthenticated : StatusCode.PermissionDenied;
            throw await RefuseAsync(context, Action, check.Reason, code, $"Refused: {check.Reason}.", check.Claimed);
        }

        if (NodeCertificateRequest.TryRead(request.CertificateRequestDer.Span, out var problem) is not { } csr)
        {
            throw await RefuseAsync(context, Action, problem, StatusCode.InvalidArgument, $"Refused: {problem}.", node.Node);
        }

        if (!node.KeyHash.Span.SequenceEqual(csr.KeyHash()))
        {
            const string OtherKey = "the request is for another key than the certificate's";
            throw await RefuseAsync(context, Action, OtherKey, StatusCode.PermissionDenied, $"Refused: {OtherKey}.", node.Node);
        }

        await audit.WriteAsync($"node/{node.Node}", Action, ok: true, $"renewed from {AddressOf(context)}", context.CancellationToken);
        return new RenewResponse { CertificateDer = issuer.Issue(csr, node.Node), AuthorityDer = issuer.Authority, HubTimeUnixMs = issuer.Now };
    }

    // Only whoever has shown the right secret learns more than that the token is not valid.
    private static (StatusCode Code, string Message) Answer(Redemption redemption) => redemption.Outcome switch
    {
        RedemptionOutcome.Used => (StatusCode.Unauthenticated, "The claim token has been used as often as it may be. Ask the operator for a new claim."),
        RedemptionOutcome.Expired => (StatusCode.Unauthenticated, "The claim token has expired. Ask the operator for a new claim."),
        RedemptionOutcome.Revoked => (StatusCode.Unauthenticated, "The claim token was revoked. Ask the operator for a new claim."),
        RedemptionOutcome.NameTaken => (StatusCode.AlreadyExists, $"The node name cannot be had: {redemption.Detail}. Choose another."),
        _ => (StatusCode.Unauthenticated, WrongToken),
    };

    private void RefuseIfBlocked(ServerCallContext context, string action)
    {
        if (refused.IsBlocked(AddressOf(context), action))
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, "Too many failed attempts from this address. Try again in a minute."));
        }
    }

    private async Task<RpcException> RefuseAsync(
        ServerCallContext context, string action, string reason, StatusCode code, string message, string? node = null)
    {
        var address = AddressOf(context);
        var actor = node is null ? address?.ToString() ?? "unknown address" : $"node/{node}";
        await refused.RecordAsync(address, actor, action, $"{reason} (from {address})", context.CancellationToken);
        return new RpcException(new Status(code, message));
    }

    private static System.Net.IPAddress? AddressOf(ServerCallContext context) => context.GetHttpContext().Connection.RemoteIpAddress;
}
