using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace EdgeVirt.Testing;

/// <summary>A shell at the other end of a serial line: commands go in as text, answers end with a mark of the command's own.</summary>
internal sealed class SerialShell : IDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(2);

    private readonly NetworkStream line;
    private readonly StringBuilder received = new();
    private readonly byte[] buffer = new byte[16384];
    private readonly SemaphoreSlim turn = new(1);
    private int commands;

    private SerialShell(NetworkStream line) => this.line = line;

    /// <summary>Opens the line; whether anybody listens is another question.</summary>
    /// <param name="path">Unix socket.</param>
    /// <exception cref="SocketException">Nobody listens there yet.</exception>
    public static async Task<SerialShell> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }

        return new SerialShell(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>Waits until the shell answers.</summary>
    /// <exception cref="TimeoutException">It does not.</exception>
    public async Task WaitAsync(TimeSpan timeout)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await RunAsync(":", AnswerTimeout);
                return;
            }
            catch (TimeoutException) when (clock.Elapsed < timeout)
            {
                // What was sent may have been lost or may be answered late: the next command has another mark.
            }
        }
    }

    /// <summary>What came before a reset is no answer to what is asked after it.</summary>
    public void Forget() => received.Clear();

    /// <summary>Runs commands of the shell, one after the other, without input.</summary>
    /// <returns>Exit code of the last one, and output and errors of all.</returns>
    /// <exception cref="TimeoutException">No end within the time.</exception>
    public async Task<(int ExitCode, string Output)> RunAsync(string command, TimeSpan timeout)
    {
        await turn.WaitAsync();
        try
        {
            var number = (++commands).ToString(CultureInfo.InvariantCulture);
            var (begin, end) = ($"---begin {number}\n", $"\n---end {number} ");
            // The leading newline ends whatever half of a line a reset left behind.
            var text = $"\nprintf '\\n---begin %d\\n' {number}; {{ {command}\n}} </dev/null 2>&1; printf '\\n---end %d %d\\n' {number} $?\n";
            using var limit = new CancellationTokenSource(timeout);
            await line.WriteAsync(Encoding.UTF8.GetBytes(text), limit.Token);
            while (true)
            {
                var all = received.ToString();
                var from = all.IndexOf(begin, StringComparison.Ordinal);
                var to = from < 0 ? -1 : all.IndexOf(end, from, StringComparison.Ordinal);
                var last = to < 0 ? -1 : all.IndexOf('\n', to + end.Length);
                if (last >= 0)
                {
                    received.Remove(0, last + 1);
                    var output = to < from + begin.Length ? "" : all[(from + begin.Length)..to];
                    return (int.Parse(all[(to + end.Length)..last], CultureInfo.InvariantCulture), output.Trim());
                }

                var count = await line.ReadAsync(buffer, limit.Token);
                received.Append(count > 0 ? Encoding.UTF8.GetString(buffer, 0, count) : throw new IOException("The machine hung up."));
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"'{command}' had no end within {timeout.TotalSeconds:0.#} s. So far: {received}");
        }
        finally
        {
            turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        line.Dispose();
        turn.Dispose();
    }
}
