using System.IO.Pipes;
using System.Runtime.InteropServices;
using System.Text;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux.Terminals;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Cli.Output;

/// <summary>All that a command sees of the process around it, so that tests can be that process.</summary>
internal sealed class Terminal
{
    public required TextReader In { get; init; }

    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Standard input as it comes, for what is no text of ours. Use this or <see cref="In"/>.</summary>
    public Stream InBytes { get; init; } = Stream.Null;

    /// <summary>Standard output likewise; <see cref="Flush"/> before the first use.</summary>
    public Stream OutBytes { get; init; } = Stream.Null;

    public Stream ErrorBytes { get; init; } = Stream.Null;

    /// <summary>Makes the terminal raw until disposed.</summary>
    public Func<IDisposable> EnterRaw { get; init; } = () => TerminalMode.EnterRaw(0);

    /// <summary>The terminal's size; null: there is none.</summary>
    public Func<WindowSize?> Size { get; init; } = () =>
        (TerminalMode.SizeOf(1) ?? TerminalMode.SizeOf(0)) is { } size ? new WindowSize { Columns = size.Columns, Rows = size.Rows } : null;

    /// <summary>Calls when the terminal's size changes, until disposed.</summary>
    public Func<Action, IDisposable> WatchSize { get; init; } = changed => PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => changed());

    public bool InIsTerminal { get; init; }

    public bool OutIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal; without one nothing is cut or wrapped.</summary>
    public int Width { get; init; } = 10_000;

    /// <summary>Environment variables; empty counts as absent.</summary>
    public required Func<string, string?> Variable { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Disks of this computer.</summary>
    public IBlockTargets Disks { get; init; } = OperatingSystem.IsLinux() ? new LinuxBlockTargets() : new OtherBlockTargets();

    /// <summary>Whether colours are wanted (https://no-color.org).</summary>
    public bool Colours => OutIsTerminal && Variable("NO_COLOR") is null && Variable("TERM") is not "dumb";

    public DateTimeOffset Now => Time.GetUtcNow();

    public static Terminal OfProcess() => OfProcess(OpenInput(), OpenOutput(), Console.OpenStandardError());

    private static Terminal OfProcess(Stream input, Stream output, Stream error) => new()
    {
        InBytes = input,
        OutBytes = output,
        ErrorBytes = error,
        // Not Console.In: that one sets the terminal to another mode as soon as it is touched.
        In = new StreamReader(input, new UTF8Encoding(false)),
        Out = new StreamWriter(output, new UTF8Encoding(false), 8192) { AutoFlush = false },
        Error = new StreamWriter(error, new UTF8Encoding(false), 256) { AutoFlush = true },
        InIsTerminal = !Console.IsInputRedirected,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Width = Console.IsOutputRedirected ? 10_000 : Math.Max(40, Console.WindowWidth),
        Variable = name => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null,
        Time = TimeProvider.System,
    };

    /// <summary>An error and what to do next, on standard error.</summary>
    public void Fail(string message, string? hint)
    {
        Flush();
        var mark = ErrorIsTerminal && Variable("NO_COLOR") is null ? "\e[31merror:\e[0m" : "error:";
        Error.WriteLine($"{mark} {Plain.Line(message)}");
        if (hint is not null)
        {
            Error.WriteLine(Plain.Line(hint));
        }

        Error.Flush();
    }

    /// <summary>Hands over what was written; a reader that has gone away is no matter any more.</summary>
    public void Flush()
    {
        try
        {
            Out.Flush();
            Error.Flush();
        }
        catch (IOException)
        {
            return;
        }
    }

    /// <summary>The console's own stream reads a terminal line by line, with keys and an echo of its own, whatever mode the terminal is in.</summary>
    private static Stream OpenInput() => Console.IsInputRedirected
        ? Console.OpenStandardInput()
        : new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    /// <summary>The console's own stream swallows a broken pipe, so that "logs -f | head" would never end.</summary>
    private static Stream OpenOutput()
    {
        if (Console.IsOutputRedirected)
        {
            try
            {
                return new PipeOutput(new AnonymousPipeClientStream(PipeDirection.Out, new SafePipeHandle(1, ownsHandle: false)));
            }
            catch (Exception fault) when (fault is IOException or NotSupportedException or ArgumentException)
            {
                // A file or device: the console's stream serves it.
            }
        }

        return Console.OpenStandardOutput();
    }
}

/// <summary>Nobody reads standard output any more.</summary>
internal sealed class BrokenOutputException(IOException cause) : IOException(cause.Message, cause);
