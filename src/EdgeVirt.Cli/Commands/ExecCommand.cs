using System.CommandLine;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt exec WORKLOAD -- COMMAND…</c>: a program in a running container, with this terminal or these pipes.</summary>
internal static class ExecCommand
{
    private static readonly Argument<string> Workload = new("workload") { Description = "The workload's name" };
    private static readonly Argument<string[]> Words = new("command") { Description = "The program and its arguments, after --", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<bool> Stdin = new("--stdin", "-i") { Description = "Pass standard input on" };
    private static readonly Option<bool> Tty = new("--tty", "-t") { Description = "Give it a terminal, as a shell wants it (-it)" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("exec", $"Runs a program in a running container. {ExitCodes.ExecNote}")
        {
            Workload, Words, Stdin, Tty, ChannelOptions.Container, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        var tty = ProgramStreams.HasTerminal(invocation, Tty);
        var request = new ExecRequest
        {
            Workload = invocation.Get(Workload),
            Container = invocation.Get(ChannelOptions.Container) ?? "",
            Command = { invocation.Get(Words) },
            Stdin = invocation.Get(Stdin),
            Tty = tty,
        };
        if (tty)
        {
            request.Term = terminal.Variable("TERM") ?? "";
            request.Size = terminal.Size();
        }

        await using var channel = await ChannelOptions.OpenAsync(invocation, request.Workload, "exec", new OpenChannel { Exec = request }, ct);
        using var given = tty ? ProgramStreams.GiveTerminal(terminal, channel, ct) : null;
        if (request.Stdin)
        {
            ProgramStreams.BeginInput(terminal.InBytes, channel, ct);
        }

        return await ProgramStreams.ShowAsync(terminal, channel, ct) ?? throw ChannelFaults.Broken("nothing was said about how the program ended");
    }
}
