using System.CommandLine;
using EdgeVirt.Cli.Manifests;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt apply -f</c>: all of the manifests, or none.</summary>
internal static class ApplyCommand
{
    private static readonly Option<string[]> Files = FileOption("File, folder, or - for standard input; may be given more than once");
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Let the hub check everything, and change nothing" };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until the workloads and virtual machines are Ready" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("apply", "Makes resources as manifests state them") { Files, DryRun, Wait };
        command.Does(terminal, RunAsync);
        return command;
    }

    /// <summary><c>-f</c>, which apply and delete share.</summary>
    public static Option<string[]> FileOption(string description, bool required = true) => new("--filename", "-f")
    {
        Description = description,
        HelpName = "path",
        Required = required,
    };

    /// <summary>Prints faults as <c>file:line: field: reason</c>.</summary>
    public static int Refuse(Terminal terminal, IReadOnlyList<SourceError> errors)
    {
        terminal.Flush();
        foreach (var error in errors)
        {
            terminal.Error.WriteLine(Plain.Line(error.ToString()));
        }

        terminal.Fail($"the {(errors.Count == 1 ? "manifest has a fault" : $"manifests have {errors.Count} faults")}; nothing was applied.", "Correct it and apply again.");
        return ExitCodes.Invalid;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        var sources = await ManifestSources.ReadAsync(invocation.Get(Files)!, terminal.In, ct);
        if (sources.Check(out _) is { Count: > 0 } errors)
        {
            return Refuse(terminal, errors);
        }

        using var hub = invocation.Connect();
        var dryRun = invocation.Get(DryRun);
        ApplyResult result;
        try
        {
            result = await invocation.AskAsync(hub, "applying", limit => hub.ApplyAsync(sources.Text, dryRun, limit), ct);
        }
        catch (CliException fault) when (fault.Errors.Count > 0)
        {
            return Refuse(terminal, [.. fault.Errors.Select(sources.Locate)]);
        }

        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(terminal.Out, invocation.Format, result, ContractsJson.Default.ApplyResult);
        }

        foreach (var item in result.Items)
        {
            if (!invocation.Quiet)
            {
                invocation.Say($"{item.Kind}/{item.Name} {item.Outcome}{(dryRun ? " (dry run)" : "")}");
            }
        }

        if (invocation.Get(Wait) && !dryRun)
        {
            terminal.Out.Flush();
            var placed = result.Items.Where(item => item.Kind == ResourceKind.Workload.Name || item.Kind == ResourceKind.VirtualMachine.Name).ToList();
            await new ReadyWait(invocation, hub).UntilReadyAsync(placed, ct);
        }

        return ExitCodes.Ok;
    }
}
