using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>What a channel that did not end well means for a person.</summary>
internal static class ChannelFaults
{
    /// <summary>Null: it ended well.</summary>
    public static CliException? Of(CloseChannel close)
    {
        var code = close.Reason switch
        {
            CloseReason.Done => ExitCodes.Ok,
            CloseReason.NotFound => ExitCodes.NotFound,
            CloseReason.Invalid => ExitCodes.Invalid,
            CloseReason.Unavailable => ExitCodes.Unreachable,
            CloseReason.Conflict => ExitCodes.Conflict,
            _ => ExitCodes.Failure,
        };
        return code == ExitCodes.Ok ? null : new CliException(code, close.Message.Length > 0 ? close.Message : $"the agent refused ({close.Reason}).");
    }

    /// <summary>It ended without a word.</summary>
    public static CliException Broken(string why) => new(
        ExitCodes.Unreachable, $"the connection broke off: {why}.", "Hub or agent may be starting again; try once more, and look at its log.");
}
