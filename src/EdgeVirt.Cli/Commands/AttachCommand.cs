using System.CommandLine;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt attach WORKLOAD</c>: output, and input, of a container's own program, until it ends or one leaves.</summary>
internal static class AttachCommand
{
    private static readonly Argument<string> Workload = new("workload") { Description = "The workload's name" };
    private static readonly Option<bool> Stdin = new("--stdin", "-i") { Description = "Pass standard input on; the container's spec needs stdin: true" };
    private static readonly Option<bool> Tty = new("--tty", "-t") { Description = "Use this terminal as its own; the spec needs tty: true (-it; Ctrl-P Ctrl-Q leaves)" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("attach", $"Attaches to the main program of a running container. {ExitCodes.ExecNote}")
        {
            Workload, Stdin, Tty, ChannelOptions.Container, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        var tty = ProgramStreams.HasTerminal(invocation, Tty);
        var request = new AttachRequest
        {
            Workload = invocation.Get(Workload), Container = invocation.Get(ChannelOptions.Container) ?? "", Stdin = invocation.Get(Stdin), Tty = tty, Size = tty ? terminal.Size() : null,
        };
        using var left = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var detached = false;
        await using var channel = await ChannelOptions.OpenAsync(invocation, request.Workload, "attach", new OpenChannel { Attach = request }, ct);
        using var given = tty ? ProgramStreams.GiveTerminal(terminal, channel, ct) : null;
        if (request.Stdin)
        {
            ProgramStreams.BeginInput(tty ? new DetachKeys(terminal.InBytes, Detach) : terminal.InBytes, channel, ct);
        }

        try
        {
            return await ProgramStreams.ShowAsync(terminal, channel, left.Token) ?? throw ChannelFaults.Broken("nothing was said about how the program ended");
        }
        catch (OperationCanceledException) when (Volatile.Read(ref detached) && !ct.IsCancellationRequested)
        {
            return ExitCodes.Ok;
        }

        void Detach()
        {
            Volatile.Write(ref detached, true);
            left.Cancel();
        }
    }
}
