using System.Runtime.InteropServices;

namespace EdgeVirt.Linux.Terminals;

/// <summary>Columns and rows of a terminal.</summary>
/// <param name="Columns">Characters in a row.</param>
/// <param name="Rows">Rows.</param>
public readonly record struct TerminalSize(ushort Columns, ushort Rows);

/// <summary>
/// A terminal in raw mode: every key goes to the program as it is. Disposing restores what was before, and so does
/// a signal that ends the process.
/// </summary>
public sealed unsafe class TerminalMode : IDisposable
{
    private static readonly PosixSignal[] Ending = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT];

    private readonly int descriptor;
    private readonly byte[] before;
    private readonly List<PosixSignalRegistration> signals = [];

    private TerminalMode(int descriptor, byte[] before)
    {
        (this.descriptor, this.before) = (descriptor, before);

        // Whether the process ends by the signal is for others to say; the terminal is well before that.
        signals.AddRange(Ending.Select(signal => PosixSignalRegistration.Create(signal, _ => Restore())));
    }

    /// <summary>Makes a terminal raw.</summary>
    /// <param name="descriptor">Its descriptor: 0 is standard input.</param>
    /// <exception cref="LinuxException">It is no terminal.</exception>
    public static TerminalMode EnterRaw(int descriptor)
    {
        var before = new byte[TerminalCalls.SettingsBytes];
        fixed (byte* settings = before)
        {
            if (TerminalCalls.GetSettings(descriptor, settings) != 0)
            {
                throw Native.Failure("read the terminal's settings");
            }
        }

        var mode = new TerminalMode(descriptor, before);
        try
        {
            MakeRaw(descriptor);
            return mode;
        }
        catch
        {
            mode.Dispose();
            throw;
        }
    }

    /// <summary>Its size; null: it is no terminal, or has none.</summary>
    public static TerminalSize? SizeOf(int descriptor) => TerminalCalls.SizeOf(descriptor);

    /// <summary>Restores the terminal.</summary>
    public void Dispose()
    {
        Restore();
        signals.ForEach(signal => signal.Dispose());
        signals.Clear();
    }

    internal static void MakeRaw(int descriptor)
    {
        var settings = stackalloc byte[TerminalCalls.SettingsBytes];
        if (TerminalCalls.GetSettings(descriptor, settings) != 0)
        {
            throw Native.Failure("read the terminal's settings");
        }

        TerminalCalls.MakeRaw(settings);
        if (TerminalCalls.SetSettings(descriptor, 1, settings) != 0)
        {
            throw Native.Failure("make the terminal raw");
        }
    }

    private void Restore()
    {
        fixed (byte* settings = before)
        {
            _ = TerminalCalls.SetSettings(descriptor, 1, settings);
        }
    }
}
