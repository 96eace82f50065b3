using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using Google.Protobuf;
using Grpc.Core;

namespace EdgeVirt.Node.Hub;

/// <summary>The hub said no, and will say so again. The message says what to do.</summary>
internal sealed class HubRefusedException(string message) : Exception(message);

/// <summary>Turns a claim token into an identity, and keeps the certificate fresh.</summary>
internal sealed class Enrollment(IdentityFiles identities, HubChannels channels, HubCalls calls, NodeConditions conditions) : IDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(20);

    private readonly SemaphoreSlim renewing = new(1);

    /// <summary>
    /// Exchanges a token. The authority is asked for first and believed only if the token pins it; the token's secret
    /// goes only to a server which that authority vouches for. A node that has an identity keeps it until the new one is in force.
    /// </summary>
    /// <exception cref="HubRefusedException">The hub refused, or it is not the hub that the token is for.</exception>
    /// <exception cref="HubUnavailableException">Try again later.</exception>
    public async Task<Identity> EnrollAsync(HubAddress hub, ClaimToken token, string? name, CancellationToken ct, bool dropsDesired = false)
    {
        var authorityDer = await calls.CallAsync(token => GetAuthorityAsync(hub, token), CallTimeout, ct);
        if (!token.Pins(authorityDer))
        {
            throw new HubRefusedException($"{hub} is not the hub that the claim token was made by: check the hub's address, or ask for a token of this hub.");
        }

        using var authority = X509CertificateLoader.LoadCertificate(authorityDer);
        using var key = OpenKey();
        var request = new EnrollRequest
        {
            ClaimToken = token.Reveal(),
            CertificateRequestDer = ByteString.CopyFrom(RequestOf(key, name ?? "node")),
            RequestedName = name ?? "",
            Board = Facts(),
        };
        var answer = await calls.CallAsync(token => EnrollAsync(hub, authority, request, token), CallTimeout, ct);
        if (!answer.AuthorityDer.Span.SequenceEqual(authorityDer) || !ResourceName.IsValid(answer.NodeName))
        {
            throw new HubRefusedException($"{hub} gave an answer that does not hold together.");
        }

        identities.Enroll(answer.NodeName, hub, answer, dropsDesired);
        conditions.Set(ConditionTypes.Enrolled, ConditionStatus.True, EnrolledReasons.Enrolled);
        return identities.Current!;
    }

    /// <summary>When the certificate is to be renewed: at two thirds of its life.</summary>
    public static DateTimeOffset RenewalDue(X509Certificate2 certificate)
    {
        var life = certificate.NotAfter - certificate.NotBefore;
        return new DateTimeOffset(certificate.NotBefore.ToUniversalTime() + (life * (2.0 / 3)), TimeSpan.Zero);
    }

    /// <summary>
    /// Renews the certificate if it is due, also when it has expired. Returns false when the hub refused: the node goes
    /// on with what it runs, and says so in its conditions.
    /// </summary>
    /// <exception cref="HubUnavailableException">Try again later.</exception>
    public async Task<bool> RenewIfDueAsync(CancellationToken ct)
    {
        await renewing.WaitAsync(ct);
        try
        {
            return await RenewAsync(ct);
        }
        finally
        {
            renewing.Release();
        }
    }

    public void Dispose() => renewing.Dispose();

    private async Task<bool> RenewAsync(CancellationToken ct)
    {
        if (identities.Current is not { } identity || identities.Now < RenewalDue(identity.Certificate))
        {
            return true;
        }

        try
        {
            using var key = OpenKey();
            var request = new RenewRequest { CertificateRequestDer = ByteString.CopyFrom(RequestOf(key, identity.Node)) };
            var answer = await calls.CallAsync(token => RenewAsync(request, token), CallTimeout, ct);
            identities.Renew(
                identity, answer.CertificateDer.ToByteArray(), answer.AuthorityDer.ToByteArray(), DateTimeOffset.FromUnixTimeMilliseconds(answer.HubTimeUnixMs));
            conditions.Set(ConditionTypes.Enrolled, ConditionStatus.True, EnrolledReasons.Enrolled);
            return true;
        }
        catch (HubRefusedException e)
        {
            conditions.Set(ConditionTypes.Enrolled, ConditionStatus.False, EnrolledReasons.Revoked, e.Message);
            return false;
        }
        catch (HubUnavailableException e)
        {
            conditions.Set(ConditionTypes.Enrolled, ConditionStatus.True, EnrolledReasons.RenewalFailed, e.Message);
            throw;
        }
    }

    private ECDsa OpenKey()
    {
        try
        {
            return identities.OpenKey();
        }
        catch (TpmUnavailableException e)
        {
            throw new HubUnavailableException(e.Message, e);
        }
    }

    private static byte[] RequestOf(ECDsa key, string name) =>
        new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256).CreateSigningRequest();

    private static BoardFacts Facts() => new()
    {
        Architecture = SystemFacts.Architecture,
        Board = SystemFacts.Board ?? "",
        SerialNumber = SystemFacts.SerialNumber ?? "",
        Kernel = SystemFacts.Kernel ?? "",
        OperatingSystem = SystemFacts.OperatingSystem ?? "",
        AgentVersion = AgentVersion.Text,
    };

    private async Task<byte[]> GetAuthorityAsync(HubAddress hub, CancellationToken ct)
    {
        using var connection = channels.Open(hub, authority: null);
        return await AskAsync(connection, async client => (await client.GetAuthorityAsync(new GetAuthorityRequest(), cancellationToken: ct)).CertificateDer.ToByteArray(), ct);
    }

    private async Task<EnrollResponse> EnrollAsync(HubAddress hub, X509Certificate2 authority, EnrollRequest request, CancellationToken ct)
    {
        using var connection = channels.Open(hub, authority);
        return await AskAsync(connection, async client => await client.EnrollAsync(request, cancellationToken: ct), ct);
    }

    private async Task<RenewResponse> RenewAsync(RenewRequest request, CancellationToken ct)
    {
        using var connection = channels.Open();
        return await AskAsync(connection, async client => await client.RenewAsync(request, cancellationToken: ct), ct);
    }

    private static async Task<T> AskAsync<T>(HubConnection connection, Func<Contracts.Protos.Enrollment.EnrollmentClient, Task<T>> ask, CancellationToken ct)
    {
        try
        {
            return await ask(new Contracts.Protos.Enrollment.EnrollmentClient(connection.Invoker));
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled && ct.IsCancellationRequested)
        {
            throw new OperationCanceledException(ct);
        }
        catch (RpcException e) when (HubCalls.IsTransient(e.StatusCode))
        {
            throw connection.Explain(e);
        }
        catch (RpcException e)
        {
            throw new HubRefusedException(e.Status.Detail);
        }
    }
}
