using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Hub;

namespace EdgeVirt.Node.Control;

/// <summary>Makes the board what it was when it was flashed. Only who is on the board may ask for it.</summary>
internal sealed class FactoryResetVerb(
    FactoryReset reset, IdentityFiles identities, NodeConditions conditions, StatusReporter reporter, MqttLink link, Restart restart)
{
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(5);

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.FactoryReset, IsLocalOnly: true, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var command = open.FactoryReset;
        var name = identities.Current?.Node ?? Environment.MachineName;
        if (command.NodeName != name)
        {
            throw new ChannelRefusedException(CloseReason.Conflict, $"This is the node '{name}', not '{command.NodeName}'. Nothing was changed.");
        }

        if (command.ClaimToken.Length > 0 && !ClaimToken.TryParse(command.ClaimToken, out _))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "That is no claim token. It begins with 'evc1.' and was printed by 'edgevirt node claim create'. Nothing was changed.");
        }

        try
        {
            reset.Mark(command.ClaimToken.Length > 0 ? command.ClaimToken : null, command.ForgetNetwork);
        }
        catch (FactoryResetException e)
        {
            throw new ChannelRefusedException(CloseReason.Unsupported, e.Message);
        }

        // Marked is marked: who hangs up now does not keep the board from it.
        conditions.Set(ConditionTypes.FactoryReset, ConditionStatus.True, FactoryResetReasons.Requested, "Somebody on the board has asked for a factory reset; it forgets this node.");
        var isTold = await TellHubAsync();
        restart.Ask();
        return isTold
            ? $"The hub knows. The board restarts and forgets node '{name}'; delete it at the hub."
            : $"The hub was not told, for it is out of reach. The board restarts and forgets node '{name}'; delete it at the hub.";
    }

    private async Task<bool> TellHubAsync()
    {
        if (!link.IsConnected)
        {
            return false;
        }

        using var patience = new CancellationTokenSource(Goodbye);
        try
        {
            return await reporter.ReportAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
