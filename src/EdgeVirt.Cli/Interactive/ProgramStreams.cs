using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>This terminal, or these pipes, and a program in a container.</summary>
internal static class ProgramStreams
{
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

    /// <summary>Passes input on until it ends, or the program has.</summary>
    public static async Task SendInputAsync(Stream input, ClientChannel channel, CancellationToken ct)
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

    /// <summary>Tells the size of the terminal, if there is one.</summary>
    public static void SendSize(Terminal terminal, ClientChannel channel, CancellationToken ct)
    {
        if (terminal.Size() is { } size)
        {
            _ = channel.SendAsync(new StreamMessage { Resize = size }, ct).ContinueWith(sent => sent.Exception, TaskScheduler.Default);
        }
    }
}
