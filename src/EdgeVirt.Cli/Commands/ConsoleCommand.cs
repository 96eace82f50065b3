using System.CommandLine;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt console MACHINE</c>: the serial console of a virtual machine, until it ends or one leaves.</summary>
internal static class ConsoleCommand
{
    private const long DefaultTail = 50;

    private static readonly Argument<string> Machine = new("machine") { Description = "The virtual machine's name" };
    private static readonly Option<bool> ReadOnly = new("--read-only", "--watch") { Description = "Only look on; several may, beside whoever types" };
    private static readonly Option<bool> Force = new("--force") { Description = "Take the console over from whoever has it" };
    private static readonly Option<long?> Tail = new("--tail") { Description = $"Lines of what was written before, to begin with (default {DefaultTail}; with --log all that is kept)", HelpName = "n" };
    private static readonly Option<bool> Log = new("--log") { Description = "Print what was written so far, also by a machine that is off, and end" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("console", "Uses the serial console of a virtual machine: Ctrl-P Ctrl-Q leaves; one person at a time types")
        {
            Machine, ReadOnly, Force, Tail, Log, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var request = RequestOf(invocation);
        var terminal = invocation.Terminal;
        var types = request.Follow && !request.ReadOnly;
        var isRaw = types && terminal.InIsTerminal;
        using var left = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var detached = false;
        await using var channel = await ChannelOptions.OpenToMachineAsync(invocation, request.Machine, types ? "console" : "console/watch", new OpenChannel { Console = request }, ct);
        if (isRaw)
        {
            invocation.Note($"the serial console of {request.Machine}; Ctrl-P Ctrl-Q leaves");
        }

        using var raw = isRaw ? terminal.EnterRaw() : null;
        if (types)
        {
            ProgramStreams.BeginInput(isRaw ? new DetachKeys(terminal.InBytes, Detach) : terminal.InBytes, channel, ct);
        }

        try
        {
            await ProgramStreams.ShowAsync(terminal, channel, left.Token);
            return ExitCodes.Ok;
        }
        catch (OperationCanceledException) when (Volatile.Read(ref detached) && !ct.IsCancellationRequested)
        {
            // The shell's prompt is not to follow the guest's on one line.
            terminal.Error.Write("\r\n");
            return ExitCodes.Ok;
        }

        void Detach()
        {
            Volatile.Write(ref detached, true);
            left.Cancel();
        }
    }

    private static ConsoleRequest RequestOf(Invocation invocation)
    {
        var (log, readOnly, force) = (invocation.Get(Log), invocation.Get(ReadOnly), invocation.Get(Force));
        if (force && (log || readOnly))
        {
            throw new CliException(ExitCodes.Usage, $"--force is for who wants to type, and {(log ? "--log" : "--read-only")} only reads.", "Leave one of them out.");
        }

        if (invocation.Get(Tail) is < 0)
        {
            throw new CliException(ExitCodes.Usage, "--tail must not be negative.", "Leave it out, or use --log for all that is kept.");
        }

        return new ConsoleRequest
        {
            Machine = invocation.Get(Machine), Tail = invocation.Get(Tail) ?? (log ? -1 : DefaultTail), Follow = !log, ReadOnly = readOnly || log, Force = force,
        };
    }
}
