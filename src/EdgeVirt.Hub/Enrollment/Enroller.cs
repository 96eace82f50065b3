using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Enrollment;

/// <summary>What follows when a claim made a key a node: the Node resource, and the record on the claim.</summary>
internal sealed class Enroller(ResourceStore resources, HubDatabase database, TimeProvider time)
{
    private const int MaxFact = 256;

    /// <summary>
    /// Makes what is missing; safe to repeat after a hub that ended in between. A Node that an operator
    /// made beforehand under this name stays as it is.
    /// </summary>
    public async Task RecordAsync(Redemption redemption, BoardFacts? board, CancellationToken ct)
    {
        var claim = redemption.Claim!;
        try
        {
            await resources.CreateAsync(NodeOf(redemption.Node, claim.SpecOf<BoardClaimSpec>(), board ?? new BoardFacts()), ct);
        }
        catch (ConflictException)
        {
            // It is there.
        }

        await database.WriteAsync(
            (connection, _) =>
            {
                EnrollmentTables.ResourceMade(connection, redemption.Node);
                return true;
            },
            ct);
        await resources.UpdateStatusAsync(ResourceKind.BoardClaim, claim.Metadata.Name, current => Used(current, redemption), ct);
    }

    private static JsonElement? Used(Resource claim, Redemption redemption)
    {
        var status = claim.Status?.Deserialize(ContractsJson.Default.BoardClaimStatus) ?? new BoardClaimStatus();
        var nodes = status.Nodes.Contains(redemption.Node) ? status.Nodes : [.. status.Nodes, redemption.Node];
        var uses = Math.Max(status.Uses, (int)redemption.Uses);
        return JsonSerializer.SerializeToElement(new BoardClaimStatus { Uses = uses, Nodes = nodes }, ContractsJson.Default.BoardClaimStatus);
    }

    private Resource NodeOf(string name, BoardClaimSpec claim, BoardFacts board)
    {
        var status = new NodeStatus
        {
            AgentVersion = Fact(board.AgentVersion),
            Architecture = Fact(board.Architecture),
            Board = Fact(board.Board),
            SerialNumber = Fact(board.SerialNumber),
            Kernel = Fact(board.Kernel),
            OperatingSystem = Fact(board.OperatingSystem),
            Conditions =
            [
                new Condition
                {
                    Type = ConditionTypes.Ready,
                    Status = ConditionStatus.Unknown,
                    Reason = ReadyReasons.NeverSeen,
                    Message = "The board enrolled and has not connected yet.",
                    LastTransitionTime = time.GetUtcNow(),
                },
            ],
        };
        return new Resource
        {
            Kind = ResourceKind.Node.Name,
            Metadata = new Metadata { Name = name, Labels = claim.NodeLabels },
            Spec = JsonSerializer.SerializeToElement(new NodeSpec(), ContractsJson.Default.NodeSpec),
            Status = JsonSerializer.SerializeToElement(status, ContractsJson.Default.NodeStatus),
        };
    }

    private static string? Fact(string value) => value.Length == 0 ? null : value.Length <= MaxFact ? value : value[..MaxFact];
}
