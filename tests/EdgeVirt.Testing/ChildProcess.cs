using System.Diagnostics;
using System.Globalization;

namespace EdgeVirt.Testing;

/// <summary>
/// A long-running program of a test. It ends with this object and, by the kernel's parent-death signal, also when the
/// test process is killed. Its output goes to a file, whose end is part of every complaint.
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly string name;
    private readonly Task copying;
    private readonly CancellationTokenSource stopCopying = new();

    private ChildProcess(Process process, string name, string logFile)
    {
        this.process = process;
        this.name = name;
        LogFile = logFile;
        var log = new FileStream(logFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        copying = CopyAsync(log);
    }

    /// <summary>Process id.</summary>
    public int Id => process.Id;

    /// <summary>Whether it ended.</summary>
    public bool HasExited => process.HasExited;

    /// <summary>Where its standard output and standard error go.</summary>
    public string LogFile { get; }

    /// <summary>Starts a program.</summary>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="logFile">Appended to.</param>
    /// <param name="networkNamespace">Name below /run/netns to start it in; null: the test's own.</param>
    /// <param name="environment">Added to the test's own.</param>
    public static ChildProcess Start(
        string file,
        IReadOnlyList<string> arguments,
        string logFile,
        string? networkNamespace = null,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        // Each of these replaces itself by the next, so that the process id is the program's own.
        List<string> line = ["--pdeathsig", "KILL", "--"];
        if (networkNamespace is not null)
        {
            line.AddRange(["nsenter", $"--net=/run/netns/{networkNamespace}", "--"]);
        }

        var start = new ProcessStartInfo("setpriv", [.. line, file, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }

        var process = Spawner.Start(start);
        process.StandardInput.Close();
        return new ChildProcess(process, Path.GetFileName(file), logFile);
    }

    /// <summary>Ends it at once, as a power cut would.</summary>
    public async Task KillAsync()
    {
        if (!process.HasExited)
        {
            process.Kill();
        }

        await process.WaitForExitAsync();
    }

    /// <summary>Asks it to end.</summary>
    /// <returns>Its exit code.</returns>
    /// <exception cref="TimeoutException">It did not.</exception>
    public async Task<int> TerminateAsync(TimeSpan timeout)
    {
        if (!process.HasExited)
        {
            Command.Try("kill", "-TERM", process.Id.ToString(CultureInfo.InvariantCulture));
        }

        return await WaitAsync(timeout);
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    /// <exception cref="TimeoutException">It still runs.</exception>
    public async Task<int> WaitAsync(TimeSpan timeout)
    {
        try
        {
            await process.WaitForExitAsync().WaitAsync(timeout);
            return process.ExitCode;
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{name} did not end within {timeout.TotalSeconds:0.#} s.{LogTail()}");
        }
    }

    /// <summary>Waits until something holds, looking every 20 ms.</summary>
    /// <param name="what">Completes "… within 5 s".</param>
    /// <param name="holds">What to look at.</param>
    /// <param name="timeout">How long.</param>
    /// <exception cref="InvalidOperationException">The process ended first.</exception>
    /// <exception cref="TimeoutException">It did not come to hold.</exception>
    public async Task WaitUntilAsync(string what, Func<Task<bool>> holds, TimeSpan timeout)
    {
        var clock = Stopwatch.StartNew();
        while (!await holds())
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"{name} ended with {process.ExitCode} before {what}.{LogTail()}");
            }

            if (clock.Elapsed > timeout)
            {
                throw new TimeoutException($"{name}: not {what} within {timeout.TotalSeconds:0.#} s.{LogTail()}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>The last lines of its output, for messages.</summary>
    public string LogTail(int lines = 25)
    {
        using var reader = new StreamReader(new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        var tail = reader.ReadToEnd().TrimEnd().Split('\n').TakeLast(lines);
        return $"{Environment.NewLine}--- end of {LogFile}{Environment.NewLine}{string.Join(Environment.NewLine, tail)}";
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        // What it started may hold the pipes open for as long as it likes; a moment is enough for what lies in them.
        stopCopying.CancelAfter(TimeSpan.FromMilliseconds(200));
        await copying;
        stopCopying.Dispose();
        process.Dispose();
    }

    private async Task CopyAsync(FileStream log)
    {
        await using (log)
        {
            using var turn = new SemaphoreSlim(1);
            await Task.WhenAll(CopyAsync(process.StandardOutput.BaseStream, log, turn), CopyAsync(process.StandardError.BaseStream, log, turn));
        }
    }

    private async Task CopyAsync(Stream from, FileStream to, SemaphoreSlim turn)
    {
        var buffer = new byte[4096];
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, stopCopying.Token)) > 0)
            {
                await turn.WaitAsync();
                try
                {
                    await to.WriteAsync(buffer.AsMemory(0, read));
                    await to.FlushAsync();
                }
                finally
                {
                    turn.Release();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed while a grandchild still held the pipe.
        }
    }

    /// <summary>
    /// Starts every process from one thread that lives as long as the test process: the parent-death signal comes when
    /// the starting thread ends, and threads of the pool do.
    /// </summary>
    private static class Spawner
    {
        private static readonly System.Collections.Concurrent.BlockingCollection<Action> Requests = [];

        static Spawner() => new Thread(() =>
        {
            foreach (var request in Requests.GetConsumingEnumerable())
            {
                request();
            }
        })
        { IsBackground = true, Name = "spawner" }.Start();

        public static Process Start(ProcessStartInfo start)
        {
            var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
            Requests.Add(() =>
            {
                try
                {
                    started.SetResult(Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start."));
                }
                catch (Exception e)
                {
                    started.SetException(e);
                }
            });
            return started.Task.GetAwaiter().GetResult();
        }
    }
}
