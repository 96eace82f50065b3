using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Enrollment;
using EdgeVirt.Hub.Resources;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Hub.Tests.Enrollment;

internal sealed class EnrollmentServiceTests
{
    private NodeHub hub = null!;

    [SetUp]
    public async Task SetUp() => hub = await NodeHub.StartAsync();

    [TearDown]
    public async Task TearDown() => await hub.DisposeAsync();

    [Test]
    public async Task Makes_a_board_a_node_with_the_labels_of_the_claim()
    {
        await using var board = new NodeClient(hub);

        var answer = await board.EnrollAsync(await hub.ClaimAsync("a"));

        Assert.That(answer.NodeName, Does.Match("^node-[0-9a-f]{8}$"));
        Assert.That(answer.MqttPort, Is.EqualTo((uint)hub.MqttPort));
        Assert.That(answer.AuthorityDer.ToByteArray(), Is.EqualTo(hub.Get<CertificateAuthority>().AuthorityDer));
        var node = await hub.Get<ResourceStore>().GetAsync(ResourceKind.Node, answer.NodeName, CancellationToken.None);
        Assert.That(node!.Metadata.Labels!["site"], Is.EqualTo("oslo"));
        Assert.That((await hub.StatusAsync(answer.NodeName)).Conditions.Single().Reason, Is.EqualTo(ReadyReasons.NeverSeen));
        Assert.That(hub.Get<NodeAuthentication>().Check(board.Certificate).Node!.Node, Is.EqualTo(answer.NodeName));
    }

    [Test]
    public async Task Gives_the_same_answer_to_the_same_key_and_counts_it_once()
    {
        var token = await hub.ClaimAsync("a");
        await using var board = new NodeClient(hub);

        var first = await board.EnrollAsync(token);
        hub.Time.Advance(TimeSpan.FromHours(25));
        var second = await board.EnrollAsync(token);

        Assert.That(second.NodeName, Is.EqualTo(first.NodeName));
        var claim = await hub.Get<ResourceStore>().GetAsync(ResourceKind.BoardClaim, "a", CancellationToken.None);
        var status = claim!.Status!.Value.Deserialize(ContractsJson.Default.BoardClaimStatus)!;
        Assert.That(status.Uses, Is.EqualTo(1));
        Assert.That(status.Nodes, Is.EqualTo([first.NodeName]));
    }

    [Test]
    public async Task Counts_uses_up_to_what_the_claim_allows()
    {
        var token = await hub.ClaimAsync("a", uses: 2);
        await using var first = new NodeClient(hub);
        await using var second = new NodeClient(hub);
        await using var third = new NodeClient(hub);

        await first.EnrollAsync(token);
        await second.EnrollAsync(token);

        await RefusedAsync(third, token, StatusCode.Unauthenticated, "used 2 of 2");
    }

    [TestCase("used", "was used 1 of 1")]
    [TestCase("expired", "ended at")]
    [TestCase("revoked", "is revoked")]
    [TestCase("reissued", "no claim 'a' with this token")]
    [TestCase("forged", "no claim 'a' with this token")]
    [TestCase("elsewhere", "no claim 'zz' with this token")]
    [TestCase("nonsense", "no claim token")]
    public async Task Refuses_a_token_that_is(string what, string auditedReason)
    {
        var token = await hub.ClaimAsync("a");
        switch (what)
        {
            case "used":
                await using (var other = new NodeClient(hub))
                {
                    await other.EnrollAsync(token);
                }

                break;
            case "expired":
                hub.Time.Advance(TimeSpan.FromHours(25));
                break;
            case "revoked":
                await hub.ApplyClaimAsync("a", new BoardClaimSpec { Revoked = true });
                break;
            case "reissued":
                await hub.Get<ClaimTokens>().IssueAsync("a", CancellationToken.None);
                break;
            case "forged":
                token = ClaimToken.Create("a", hub.Get<CertificateAuthority>().AuthorityDer).Reveal();
                break;
            case "elsewhere":
                token = ClaimToken.Create("zz", hub.Get<CertificateAuthority>().AuthorityDer).Reveal();
                break;
            default:
                token = "let me in";
                break;
        }

        await using var board = new NodeClient(hub);
        await RefusedAsync(board, token, StatusCode.Unauthenticated, auditedReason);
        Assert.That(board.Certificate, Is.Null);
    }

    [Test]
    public async Task Refuses_bad_names_keys_and_names_of_others_without_using_the_token_up()
    {
        await using var holder = await hub.EnrollAsync("taken");
        await using var board = new NodeClient(hub);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var token = await hub.ClaimAsync("a");

        await RefusedAsync(board, token, StatusCode.InvalidArgument, "DNS label", name: "Not A Name");
        await RefusedAsync(board, token, StatusCode.AlreadyExists, "another key is node 'taken'", name: "taken");
        await RefusedAsync(board, token, StatusCode.InvalidArgument, "P-256", request: NodeClient.RequestOf(p384));
        await RefusedAsync(board, token, StatusCode.InvalidArgument, "cannot be read", request: ByteString.CopyFromUtf8("x"));

        Assert.That((await board.EnrollAsync(token, "free")).NodeName, Is.EqualTo("free"));
    }

    [Test]
    public async Task Stops_listening_to_an_address_that_keeps_guessing()
    {
        await using var board = new NodeClient(hub);
        for (var i = 0; i < RefusedAttempts.Allowed; i++)
        {
            await RefusedAsync(board, "guess", StatusCode.Unauthenticated, "no claim token");
        }

        var token = await hub.ClaimAsync("a");
        var blocked = await NodeHub.FailureAsync<RpcException>(() => board.EnrollAsync(token));
        Assert.That(blocked.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));

        hub.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.That((await board.EnrollAsync(token)).NodeName, Is.Not.Empty);
    }

    [Test]
    public async Task Renews_an_expired_certificate_for_the_same_key()
    {
        await using var node = await hub.EnrollAsync("n1");
        hub.Time.Advance(TimeSpan.FromDays(200));
        Assert.That(hub.Get<NodeAuthentication>().Check(node.Certificate).Refusal, Is.EqualTo(NodeRefusal.Expired));

        var answer = await node.Enrollment.RenewAsync(new RenewRequest { CertificateRequestDer = node.Request });
        node.Take(answer.CertificateDer);

        Assert.That(hub.Get<NodeAuthentication>().Check(node.Certificate).Node!.Node, Is.EqualTo("n1"));
    }

    [Test]
    public async Task Does_not_renew_for_another_key_or_without_a_certificate_or_when_revoked()
    {
        await using var node = await hub.EnrollAsync("n1");
        await using var stranger = new NodeClient(hub);

        await NotRenewedAsync(node, stranger.Request, StatusCode.PermissionDenied, "another key");
        await NotRenewedAsync(stranger, stranger.Request, StatusCode.Unauthenticated, "no client certificate");
        await hub.Get<NodeIdentities>().RevokeAsync("n1", "test", CancellationToken.None);
        await NotRenewedAsync(node, node.Request, StatusCode.PermissionDenied, "revoked");
        await hub.RestartAsync();
        await NotRenewedAsync(node, node.Request, StatusCode.PermissionDenied, "revoked");
    }

    [Test]
    public async Task Revokes_a_node_whose_resource_is_deleted_and_lets_it_back_only_by_a_new_claim()
    {
        var token = await hub.ClaimAsync("a", uses: 5);
        await using var node = new NodeClient(hub);
        await node.EnrollAsync(token, "n1");

        await hub.Get<ResourceStore>().DeleteAsync(ResourceKind.Node, "n1", CancellationToken.None);
        await NodeHub.EventuallyAsync(
            () => Task.FromResult(hub.Get<NodeAuthentication>().Check(node.Certificate).Refusal == NodeRefusal.Revoked), "revoked");

        await RefusedAsync(node, token, StatusCode.Unauthenticated, "was deleted", name: "n1");
        await node.EnrollAsync(await hub.ClaimAsync("b"), "n1");
        Assert.That(hub.Get<NodeAuthentication>().Check(node.Certificate).Node, Is.Not.Null);
    }

    [Test]
    public async Task Knows_a_certificate_that_is_not_its_own()
    {
        await using var node = await hub.EnrollAsync("n1");
        var check = hub.Get<NodeAuthentication>();
        using var self = new CertificateRequest("CN=n1", node.Key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(hub.Time.GetUtcNow().AddDays(-1), hub.Time.GetUtcNow().AddDays(1));

        Assert.That(check.Check(self).Refusal, Is.EqualTo(NodeRefusal.NotFromThisHub));
        Assert.That(check.Check(null).Refusal, Is.EqualTo(NodeRefusal.NoCertificate));
        Assert.That(check.Check(hub.Get<CertificateAuthority>().ServerCertificate).Refusal, Is.EqualTo(NodeRefusal.NotForNodes));
        Assert.That(check.IsOurs(self), Is.False);
    }

    private async Task RefusedAsync(
        NodeClient board, string token, StatusCode code, string auditedReason, string name = "", ByteString? request = null)
    {
        var refusal = await NodeHub.FailureAsync<RpcException>(async () => await board.Enrollment.EnrollAsync(
            new EnrollRequest { ClaimToken = token, CertificateRequestDer = request ?? board.Request, RequestedName = name }));
        Assert.That(refusal.StatusCode, Is.EqualTo(code));
        Assert.That((await hub.RefusalsAsync())[0].Reason, Does.Contain(auditedReason));
    }

    private async Task NotRenewedAsync(NodeClient node, ByteString request, StatusCode code, string auditedReason)
    {
        var refusal = await NodeHub.FailureAsync<RpcException>(
            async () => await node.Enrollment.RenewAsync(new RenewRequest { CertificateRequestDer = request }));
        Assert.That(refusal.StatusCode, Is.EqualTo(code));
        Assert.That((await hub.RefusalsAsync())[0].Reason, Does.Contain(auditedReason));
    }
}
