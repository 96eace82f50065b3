using System.Diagnostics;

namespace EdgeVirt.Testing;

/// <summary>Runs a short program of the system to its end.</summary>
public static class Command
{
    /// <summary>What the program wrote to its standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed, or took longer than a minute.</exception>
    public static string Run(string file, params IReadOnlyList<string> arguments)
    {
        var (exitCode, output, error) = Try(file, arguments);
        return exitCode == 0 ? output : throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} failed ({exitCode}): {error.Trim()}");
    }

    /// <summary>Exit code, standard output and standard error.</summary>
    public static (int ExitCode, string Output, string Error) Try(string file, params IReadOnlyList<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(1)))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} did not end within a minute.");
        }

        // A grandchild that holds the pipes must not hold the test.
        return Task.WaitAll([output, error], TimeSpan.FromSeconds(10))
            ? (process.ExitCode, output.Result, error.Result)
            : throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} left a process that holds its output open.");
    }
}
