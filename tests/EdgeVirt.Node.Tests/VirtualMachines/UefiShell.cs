using System.Text.RegularExpressions;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>EDK2's shell at a serial console.</summary>
/// <param name="read">All that the console said so far.</param>
/// <param name="write">Types.</param>
internal sealed partial class UefiShell(Func<string> read, Func<string, Task> write)
{
    private const string Prompt = "Shell>";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private string Said => Escapes().Replace(read(), "").ReplaceLineEndings("\n");

    /// <summary>Waits for the prompt after a power-on, past the wait for a startup.nsh.</summary>
    /// <param name="boot">How often it was switched on since the console began: the first is 1.</param>
    public async Task ArriveAsync(int boot)
    {
        await UntilAsync(said => said.Split("UEFI Interactive Shell").Length > boot && (IsReady(said) || said.TrimEnd().EndsWith("any other key to continue.", StringComparison.Ordinal)));
        if (!IsReady(Said))
        {
            await write(" ");
            await ReadyAsync();
        }
    }

    /// <summary>Waits for the prompt.</summary>
    public Task ReadyAsync() => UntilAsync(IsReady);

    /// <summary>Runs a command to its end.</summary>
    /// <returns>What it said.</returns>
    public async Task<string> RunAsync(string command)
    {
        var before = Said.Length;
        await write(command + "\r");
        await UntilAsync(said => said.Length > before + command.Length && said[before..].Contains('\n', StringComparison.Ordinal) && IsReady(said));
        return Said[before..].TrimEnd()[..^Prompt.Length];
    }

    private static bool IsReady(string said) => said.TrimEnd().EndsWith(Prompt, StringComparison.Ordinal);

    private async Task UntilAsync(Func<string, bool> holds)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!holds(Said))
        {
            if (TimeProvider.System.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException($"the shell does not come; the console said: {Said}");
            }

            await Task.Delay(50);
        }
    }

    [GeneratedRegex(@"\x1b\[[0-9;=?]*[A-Za-z]")]
    private static partial Regex Escapes();
}
