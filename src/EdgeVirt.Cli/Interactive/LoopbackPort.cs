using System.Net;
using System.Net.Sockets;

namespace EdgeVirt.Cli.Interactive;

/// <summary>Ports of this machine's loopback.</summary>
internal static class LoopbackPort
{
    /// <summary>Listens.</summary>
    /// <param name="port">0: any that is free.</param>
    /// <param name="anyFree">For people: how to ask for any that is free.</param>
    /// <param name="high">For people: how to ask for one that needs no rights.</param>
    /// <exception cref="CliException">It is in use, or for root alone.</exception>
    public static TcpListener Listen(ushort port, string anyFree, string high)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException fault)
        {
            listener.Dispose();
            throw fault.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => new CliException(ExitCodes.Conflict, $"port {port} is in use on this machine.", $"Choose another: {anyFree}."),
                SocketError.AccessDenied => new CliException(ExitCodes.Unauthorized, $"port {port} is for root alone.", $"Choose one above 1023, such as {high}."),
                _ => new CliException(ExitCodes.Failure, $"port {port} cannot be listened on: {fault.Message}."),
            };
        }
    }
}
