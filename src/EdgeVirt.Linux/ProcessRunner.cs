using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace EdgeVirt.Linux;

/// <summary>What a process that ended left. Output and error are cut at 1 MiB each.</summary>
/// <param name="ExitCode">0 is success; 128 + signal where a signal ended it.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
public sealed record ProcessResult(int ExitCode, string Output, string Error);

/// <summary>A program could not be started, ended with a non-zero exit code, or took too long.</summary>
public sealed class ProcessFailedException : IOException
{
    private const int TailLength = 2000;

    /// <summary>A program ended with a non-zero exit code.</summary>
    public ProcessFailedException(string command, int exitCode, string error)
        : base($"'{command}' ended with exit code {exitCode}: {Tail(error)}") => ExitCode = exitCode;

    /// <summary>A program could not be started or was ended.</summary>
    public ProcessFailedException(string command, string why, Exception? inner = null)
        : base($"'{command}' {why}", inner)
    {
    }

    /// <summary>The exit code; null where the program did not start or was ended for its time.</summary>
    public int? ExitCode { get; }

    private static string Tail(string error)
    {
        var text = error.Trim();
        return text.Length == 0 ? "it said nothing" : text.Length <= TailLength ? text : "…" + text[^TailLength..];
    }
}

/// <summary>The one way to run programs: argument lists, never a shell, always a time limit.</summary>
public static class ProcessRunner
{
    private const int CaptureLimit = 1 << 20;

    /// <summary>
    /// Runs a program to its end. It is started before the first await, so that it inherits what is special to the
    /// calling thread (see <see cref="NetworkNamespaces.Run{T}"/>).
    /// </summary>
    /// <param name="file">Program; looked up in PATH when it has no slash.</param>
    /// <param name="args">Arguments.</param>
    /// <param name="timeout">After it, the program and all that it started are killed.</param>
    /// <param name="stdin">What it reads.</param>
    /// <param name="ct">Kills it likewise.</param>
    /// <param name="check">Whether a non-zero exit code is a failure.</param>
    /// <exception cref="ProcessFailedException">It did not start, took too long, or (with <paramref name="check"/>) failed.</exception>
    [SuppressMessage("Design", "CA1068", Justification = "A token is given more often than check, and both are optional.")]
    public static Task<ProcessResult> RunAsync(
        string file,
        IReadOnlyList<string> args,
        TimeSpan timeout,
        ReadOnlyMemory<byte> stdin = default,
        CancellationToken ct = default,
        bool check = true)
    {
        ct.ThrowIfCancellationRequested();
        var start = new ProcessStartInfo(file, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        // The service manager's socket is the agent's own: a child that inherits it could speak for it.
        start.Environment.Remove("NOTIFY_SOCKET");
        var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            process.Dispose();
            return Task.FromException<ProcessResult>(
                new ProcessFailedException(file, $"could not be started: {e.Message}; is the package that has it installed?", e));
        }

        return FinishAsync(process, $"{file} {string.Join(' ', args)}".Trim(), timeout, stdin, check, ct);
    }

    private static async Task<ProcessResult> FinishAsync(
        Process process, string command, TimeSpan timeout, ReadOnlyMemory<byte> stdin, bool check, CancellationToken ct)
    {
        using var _ = process;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout);
        try
        {
            var output = CaptureAsync(process.StandardOutput.BaseStream, limit.Token);
            var error = CaptureAsync(process.StandardError.BaseStream, limit.Token);
            await WriteInputAsync(process, stdin, limit.Token).ConfigureAwait(false);
            var result = new ProcessResult(
                await ExitAsync(process, limit.Token).ConfigureAwait(false),
                await output.ConfigureAwait(false),
                await error.ConfigureAwait(false));
            return check && result.ExitCode != 0 ? throw new ProcessFailedException(command, result.ExitCode, result.Error) : result;
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            ct.ThrowIfCancellationRequested();
            throw new ProcessFailedException(command, $"took longer than {timeout.TotalSeconds:0.#} s and was killed", e);
        }
        finally
        {
            // Streams that were asked for are not closed with the process.
            process.StandardInput.Dispose();
            process.StandardOutput.Dispose();
            process.StandardError.Dispose();
        }
    }

    private static async Task<int> ExitAsync(Process process, CancellationToken ct)
    {
        await process.WaitForExitAsync(ct).ConfigureAwait(false);
        return process.ExitCode;
    }

    private static async Task WriteInputAsync(Process process, ReadOnlyMemory<byte> stdin, CancellationToken ct)
    {
        try
        {
            if (!stdin.IsEmpty)
            {
                await process.StandardInput.BaseStream.WriteAsync(stdin, ct).ConfigureAwait(false);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The program ended or closed its input without reading it all; its exit code says whether that matters.
        }
    }

    private static async Task<string> CaptureAsync(Stream stream, CancellationToken ct)
    {
        var buffer = new byte[4096];
        using var kept = new MemoryStream();
        int read;
        while ((read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
        {
            kept.Write(buffer, 0, (int)Math.Min(read, CaptureLimit - kept.Length));
        }

        return Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length);
    }
}
