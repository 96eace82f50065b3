using System.CommandLine;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>This terminal, or these pipes, and a program in a container.</summary>
internal static class ProgramStreams
{
    /// <summary>Whether the program can have this terminal; says so where it was asked for and there is none.</summary>
    public static bool HasTerminal(Invocation invocation, Option<bool> tty)
    {
        if (!invocation.Get(tty))
        {
            return false;
        }

        if (!invocation.Terminal.InIsTerminal)
        {
            invocation.Note("standard input is no terminal: going on without -t");
            return false;
        }

        return true;
    }

    /// <summary>Gives the program this terminal, its size and its changes too, until the result is disposed.</summary>
    public static IDisposable GiveTerminal(Terminal terminal, ClientChannel channel, CancellationToken ct) =>
        new GivenTerminal(terminal.EnterRaw(), terminal.WatchSize(() => SendSize(terminal, channel, ct)));

    /// <summary>Begins to pass input on, until it ends or the program has. Nobody waits for it: a read of a terminal ends only with the next key.</summary>
    public static void BeginInput(Stream input, ClientChannel channel, CancellationToken ct) =>
        _ = Task.Run(() => SendInputAsync(input, channel, ct), CancellationToken.None);

    /// <summary>Shows what the program writes; gives its exit code, null where none was said.</summary>
    public static async Task<int?> ShowAsync(Terminal terminal, ClientChannel channel, CancellationToken ct)
    {
        int? code = null;
        await foreach (var message in channel.ReadAllAsync(ct))
        {
            switch (message.KindCase)
            {
                case StreamMessage.KindOneofCase.Data:
                    terminal.OutBytes.Write(message.Data.Span);
                    terminal.OutBytes.Flush();
                    break;
                case StreamMessage.KindOneofCase.Error:
                    terminal.ErrorBytes.Write(message.Error.Span);
                    terminal.ErrorBytes.Flush();
                    break;
                case StreamMessage.KindOneofCase.ExitCode:
                    code = (int)message.ExitCode;
                    break;
            }
        }

        return code;
    }

    private static async Task SendInputAsync(Stream input, ClientChannel channel, CancellationToken ct)
    {
        try
        {
            await channel.SendAllAsync(input, ct);
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The program has ended, or we have.
        }
    }

    private static void SendSize(Terminal terminal, ClientChannel channel, CancellationToken ct)
    {
        if (terminal.Size() is { } size)
        {
            _ = channel.SendAsync(new StreamMessage { Resize = size }, ct).ContinueWith(sent => sent.Exception, TaskScheduler.Default);
        }
    }

    private sealed class GivenTerminal(IDisposable? raw, IDisposable? sizes) : IDisposable
    {
        public void Dispose()
        {
            sizes?.Dispose();
            raw?.Dispose();
        }
    }
}
