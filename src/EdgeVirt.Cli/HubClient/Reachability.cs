using System.Net.Sockets;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.HubClient;

/// <summary>Why a hub could not be spoken to, and what to look at.</summary>
internal static class Reachability
{
    public static CliException Explain(Uri server, HttpRequestException fault, TrustAnchor? trust)
    {
        var at = server.GetLeftPart(UriPartial.Authority);
        if (trust?.Problem is { } problem)
        {
            return new CliException(
                ExitCodes.Unreachable,
                $"refused to speak with {at}: {problem}.",
                problem.Contains("other names", StringComparison.Ordinal)
                    ? "Use one of those names in --server, or start the hub with --advertise and the name that you use."
                    : "If the hub was set up anew, run 'edgevirt login' again and compare the fingerprint with the one that the hub prints; otherwise somebody may be in between.");
        }

        return fault.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => new CliException(ExitCodes.Unreachable, $"cannot reach the hub at {at}: there is no host '{server.Host}'.", "Check the name in --server, or that of the context ('edgevirt context list')."),
            HttpRequestError.SecureConnectionError => new CliException(ExitCodes.Unreachable, $"cannot reach the hub at {at}: no TLS connection could be made.", "Check that the port is the hub's API port (8443 by default)."),
            HttpRequestError.ResponseEnded => new CliException(ExitCodes.Unreachable, $"the hub at {at} ended the connection.", "It may be starting again; try once more."),
            _ => new CliException(ExitCodes.Unreachable, $"cannot reach the hub at {at}: {Words(fault)}.", "Is it running? Check the address and port in --server (8443 by default) and any firewall between."),
        };
    }

    public static CliException TimedOut(Uri server, TimeSpan timeout) => new(
        ExitCodes.Timeout,
        $"the hub at {server.GetLeftPart(UriPartial.Authority)} did not answer within {Durations.Format(timeout)}.",
        "Is it running, and reachable from here? A longer --timeout gives it more time.");

    private static string Words(HttpRequestException fault) => fault.InnerException switch
    {
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "connection refused",
        SocketException { SocketErrorCode: SocketError.HostUnreachable or SocketError.NetworkUnreachable } => "no route to the host",
        SocketException { SocketErrorCode: SocketError.TimedOut } => "no answer",
        { } cause => cause.Message.TrimEnd('.'),
        null => fault.Message.TrimEnd('.'),
    };
}
