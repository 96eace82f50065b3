using System.CommandLine;
using EdgeVirt.Cli.Local;

namespace EdgeVirt.Cli.Commands;

/// <summary>How commands reach the agent on this machine.</summary>
internal static class LocalAgent
{
    public static Option<string?> Socket { get; } = new("--socket")
    {
        Description = $"The agent's control socket ({ControlSocket.DefaultPath})",
        HelpName = "path",
    };

    public static Task<ControlSocket> ConnectAsync(Invocation invocation, CancellationToken ct) =>
        ControlSocket.ConnectAsync(invocation.Get(Socket) ?? invocation.Terminal.Variable("EDGEVIRT_SOCKET") ?? ControlSocket.DefaultPath, ct);
}
