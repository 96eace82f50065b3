using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;

namespace EdgeVirt.Node.Control;

/// <summary>Enrolls the node with a hub, or anew with another one. Only who is on the board may ask for it.</summary>
internal sealed class EnrollVerb(NodeOptions options, Hub.Enrollment enrollment)
{
    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Enroll, IsLocalOnly: true, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var command = open.Enroll;
        var address = command.HubAddress.Length > 0 ? command.HubAddress : options.Hub ?? options.BoardHub;
        if (!HubAddress.TryParse(address, out var hub))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "Say which hub, as host:port of its node port.");
        }

        if (!ClaimToken.TryParse(command.ClaimToken, out var token))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "That is no claim token. It begins with 'evc1.' and was printed by 'edgevirt node claim create'.");
        }

        var name = command.NodeName.Length > 0 ? command.NodeName : options.NodeName;
        if (name is not null && ResourceName.Problem(name) is { } problem)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"The node name '{name}' {problem}.");
        }

        try
        {
            var identity = await enrollment.EnrollAsync(hub, token, name, ct);
            return $"Enrolled as {identity.Node} with {hub}.";
        }
        catch (Exception e) when (e is HubRefusedException or HubUnavailableException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, e.Message);
        }
    }
}
