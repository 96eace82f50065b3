using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Hub;

namespace EdgeVirt.Node.Control;

/// <summary>Moves the node to another hub. Only who is on the board may ask for it.</summary>
internal sealed class RehomeVerb(IdentityFiles identities, Hub.Enrollment enrollment, BoardTree board, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Rehome, IsLocalOnly: true, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var command = open.Rehome;
        if (identities.Current is not { } before)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "This node has no hub yet: 'edgevirt node enroll' gives it one.");
        }

        if (!HubAddress.TryParse(command.HubAddress, out var hub))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "Say which hub, as host:port of its node port.");
        }

        if (!ClaimToken.TryParse(command.ClaimToken, out var token))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "That is no claim token. It begins with 'evc1.' and was printed by 'edgevirt node claim create'.");
        }

        var name = command.NodeName.Length > 0 ? command.NodeName : before.Node;
        if (ResourceName.Problem(name) is { } problem)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"The node name '{name}' {problem}.");
        }

        Identity identity;
        try
        {
            identity = await enrollment.EnrollAsync(hub, token, name, ct, command.DropWorkloads);
        }
        catch (Exception e) when (e is HubRefusedException or HubUnavailableException or IOException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"{e.Message} The node stays with {before.Hub}, and what it runs goes on.");
        }

        while (identities.DropsDesired)
        {
            await Task.Delay(Look, time, ct);
        }

        var workloads = command.DropWorkloads ? "What the hub before wanted ends now." : "What the hub before wanted runs on until the new hub has something for the node to run.";
        return $"Moved from {before.Hub} to {hub}, as {identity.Node}. {workloads}{CardNote(hub)}";
    }

    // A board that starts anew, or is flashed over, finds its hub there.
    private string CardNote(HubAddress hub)
    {
        if (!Directory.Exists(board.CardDirectory))
        {
            return "";
        }

        try
        {
            CardEdit.Read(board.CardFile).Set("hub", hub.ToString()).Set("claimToken", null).Write();
            return "";
        }
        catch (CardException e)
        {
            return $" The card still names the hub before: {e.Message}";
        }
    }
}
