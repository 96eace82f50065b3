using System.IO.Pipes;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Linux.Terminals;

/// <summary>
/// A program whose standard streams are in our hands, by pipes or by a terminal made for it. It leads a session of its own.
/// Disposing closes the streams and does not end the program.
/// </summary>
public sealed unsafe class AttachedProcess : IDisposable
{
    private const int Kind = 1; // P_PID
    private const int ExitedButKept = 0x4 | 0x0100_0000; // WEXITED | WNOWAIT
    private const int WindowChanged = 28; // SIGWINCH
    private static readonly Dictionary<string, string> NoEnvironment = [];

    private readonly Lock gate = new();
    private readonly Pseudoterminal? terminal;
    private readonly int pid;
    private bool ended;
    private int pumps;

    private AttachedProcess(int pid, Pseudoterminal? terminal, Stream input, Stream output, Stream? error)
    {
        (this.pid, this.terminal, Input, Output, Error) = (pid, terminal, input, output, error);
        pumps = terminal is null ? 0 : 2;
        var exit = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() => exit.SetResult(Wait()), maxStackSize: 256 << 10) { IsBackground = true }.Start();
        Exit = exit.Task;
    }

    /// <summary>What it reads. Disposing it is the end of its input; on a terminal it has to be told by a key.</summary>
    public Stream Input { get; }

    /// <summary>What it writes; on a terminal, errors too.</summary>
    public Stream Output { get; }

    /// <summary>Its standard error; null on a terminal.</summary>
    public Stream? Error { get; }

    /// <summary>Its exit code when it has ended; 128 + signal where a signal ended it.</summary>
    public Task<int> Exit { get; }

    /// <summary>Starts a program on three pipes.</summary>
    /// <param name="file">Program, with its path.</param>
    /// <param name="args">Arguments.</param>
    /// <exception cref="ProcessFailedException">It did not start.</exception>
    public static AttachedProcess Start(string file, IReadOnlyList<string> args)
    {
        var (input, output, error) = (DescriptorPump.Pipe(), DescriptorPump.Pipe(), DescriptorPump.Pipe());
        try
        {
            var pid = SpawnCall.Spawn(file, args, NoEnvironment, newSession: true, (Number(input.Reading), 0), (Number(output.Writing), 1), (Number(error.Writing), 2));
            return new AttachedProcess(pid, null, Writer(input.Writing), Reader(output.Reading), Reader(error.Reading));
        }
        catch
        {
            input.Writing.Dispose();
            output.Reading.Dispose();
            error.Reading.Dispose();
            throw;
        }
        finally
        {
            input.Reading.Dispose();
            output.Writing.Dispose();
            error.Writing.Dispose();
        }
    }

    /// <summary>Starts a program on a terminal, raw and without echo: a program that runs another on a terminal of its own hands everything on.</summary>
    /// <param name="file">Program, with its path.</param>
    /// <param name="args">Arguments.</param>
    /// <param name="size">The terminal's.</param>
    /// <exception cref="ProcessFailedException">It did not start.</exception>
    public static AttachedProcess StartOnTerminal(string file, IReadOnlyList<string> args, TerminalSize size)
    {
        var terminal = Pseudoterminal.Open(size);
        var (input, output) = (DescriptorPump.Pipe(), DescriptorPump.Pipe());
        try
        {
            var slave = (int)terminal.Slave.DangerousGetHandle();
            var pid = SpawnCall.Spawn(file, args, NoEnvironment, newSession: true, (slave, 0), (slave, 1), (slave, 2));
            var process = new AttachedProcess(pid, terminal, Writer(input.Writing), Reader(output.Reading), null);
            terminal.Slave.Dispose();
            DescriptorPump.Start(terminal.Master, Number(output.Writing), () => process.PumpEnded(output.Writing));
            DescriptorPump.Start(Number(input.Reading), terminal.Master, () => process.PumpEnded(input.Reading));
            return process;
        }
        catch
        {
            foreach (var handle in (SafePipeHandle[])[input.Reading, input.Writing, output.Reading, output.Writing])
            {
                handle.Dispose();
            }

            terminal.Dispose();
            throw;
        }
    }

    /// <summary>Gives its terminal another size, and tells it.</summary>
    public void Resize(TerminalSize size)
    {
        lock (gate)
        {
            if (terminal is not null && !ended)
            {
                terminal.Resize(size);
                _ = Native.Kill(pid, WindowChanged);
            }
        }
    }

    /// <summary>Sends it a signal; nothing where it has ended.</summary>
    public void Signal(int signal)
    {
        lock (gate)
        {
            if (!ended)
            {
                _ = Native.Kill(pid, signal);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Input.Dispose();
        Output.Dispose();
        Error?.Dispose();
    }

    private static int Number(SafePipeHandle handle) => (int)handle.DangerousGetHandle();

    private static AnonymousPipeClientStream Reader(SafePipeHandle handle) => new(PipeDirection.In, handle);

    private static AnonymousPipeClientStream Writer(SafePipeHandle handle) => new(PipeDirection.Out, handle);

    private void PumpEnded(SafePipeHandle handle)
    {
        handle.Dispose();

        // The master is closed by the last that uses it: a number that was closed may be another file already.
        lock (gate)
        {
            if (--pumps == 0 && ended)
            {
                terminal?.Dispose();
            }
        }
    }

    private int Wait()
    {
        var signalInfo = stackalloc byte[128];
        while (Native.WaitId(Kind, pid, signalInfo, ExitedButKept) != 0 && Marshal.GetLastPInvokeError() == Native.EINTR)
        {
        }

        // Its id is free for another process only after this.
        lock (gate)
        {
            ended = true;
            var status = 0;
            _ = Native.WaitProcess(pid, &status, 0);
            if (pumps == 0)
            {
                terminal?.Dispose();
            }

            return (status & 0x7F) == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F);
        }
    }
}
