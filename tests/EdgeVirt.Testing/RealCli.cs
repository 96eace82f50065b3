using System.Diagnostics;
using System.Globalization;

namespace EdgeVirt.Testing;

/// <summary>The published command line, logged in at a hub, or beside an agent on its board.</summary>
public sealed class RealCli
{
    private readonly IReadOnlyList<string> before;
    private readonly IReadOnlyList<string> after;

    private RealCli(IReadOnlyList<string> before, IReadOnlyList<string> after) => (this.before, this.after) = (before, after);

    /// <summary>As an operator has it.</summary>
    public static RealCli At(RealHub hub)
    {
        ArgumentNullException.ThrowIfNull(hub);
        return new RealCli(
            [
                $"EDGEVIRT_SERVER={hub.ApiAddress.ToString().TrimEnd('/')}", $"EDGEVIRT_TOKEN={hub.AdminToken}",
                string.Create(CultureInfo.InvariantCulture, $"EDGEVIRT_CA_FILE={hub.AuthorityFile}"),
            ],
            []);
    }

    /// <summary>As a technician has it on the board: by the agent's control socket, without a hub.</summary>
    public static RealCli On(RealNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return new RealCli([], ["--local", "--socket", Path.Combine(node.RunDirectory, "control.sock")]);
    }

    /// <summary>Runs it to its end.</summary>
    /// <param name="arguments">Those behind <c>--</c> are passed on to a program.</param>
    public (int ExitCode, string Output, string Error) Try(params IReadOnlyList<string> arguments) => Command.Try("env", Line(arguments));

    /// <summary>Runs it with something on its standard input.</summary>
    public async Task<(int ExitCode, string Output)> TryAsync(string input, params IReadOnlyList<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("env", Line(arguments)) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        return (process.ExitCode, await output);
    }

    /// <summary>Runs it at a terminal of its own to its end; what it shows comes back.</summary>
    public (int ExitCode, string Output, string Error) TryAtTerminal(params IReadOnlyList<string> arguments) =>
        Command.Try("script", "--quiet", "--return", "--command", Quoted(arguments), "/dev/null");

    /// <summary>Starts it at a terminal of its own, at which the test types.</summary>
    /// <param name="name">Path that names of files begin with.</param>
    /// <param name="arguments">As above.</param>
    public TerminalSession StartAtTerminal(string name, params IReadOnlyList<string> arguments) => new("exec " + Quoted(arguments), name);

    /// <summary>Starts it and leaves it running.</summary>
    public ChildProcess Start(string logFile, params IReadOnlyList<string> arguments) => ChildProcess.Start("env", Line(arguments), logFile);

    /// <summary>Likewise, with a file as its standard input.</summary>
    public ChildProcess StartWithInput(string inputFile, string logFile, params IReadOnlyList<string> arguments) =>
        ChildProcess.Start("sh", ["-c", "exec env \"$@\" < \"$0\"", inputFile, .. Line(arguments)], logFile);

    private List<string> Line(IReadOnlyList<string> arguments)
    {
        var own = arguments.TakeWhile(argument => argument != "--").ToList();
        return [.. before, PublishedBinaries.Cli, .. own, .. after, .. arguments.Skip(own.Count)];
    }

    private string Quoted(IReadOnlyList<string> arguments) => string.Join(' ', Line(arguments).Prepend("env").Select(Quoted));

    private static string Quoted(string argument) => $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
