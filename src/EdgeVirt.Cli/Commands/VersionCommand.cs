using System.CommandLine;
using System.Reflection;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli.Commands;

/// <summary>Versions of client and hub.</summary>
internal sealed record VersionOutput(string Client, string? Server, VersionAnswer? Hub);

/// <summary><c>edgevirt version</c>.</summary>
internal static class VersionCommand
{
    private static readonly Option<bool> ClientOnly = new("--client") { Description = "Do not ask the hub" };

    /// <summary>Version and commit of this program.</summary>
    public static string Client { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static Command Create(Terminal terminal)
    {
        var command = new Command("version", "Shows the versions of this program and of the hub") { ClientOnly };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        if (invocation.Format == OutputFormat.Table)
        {
            terminal.Out.WriteLine($"client  {Client}");
            terminal.Out.Flush();
        }

        var target = invocation.Get(ClientOnly) ? null : HubTarget.Find(terminal, invocation.Server, invocation.ContextName);
        VersionAnswer? answer = null;
        if (target is not null)
        {
            using var hub = new HubApi(target with { Token = null }, invocation.Timeout, terminal.Time);
            answer = await invocation.AskAsync(hub, "asking for the version", limit => hub.GetAsync("/api/v1/version", ContractsJson.Default.VersionAnswer, limit), ct);
        }
        else if (!invocation.Get(ClientOnly))
        {
            invocation.Note("No hub is known; 'edgevirt login' makes one known.");
        }

        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(terminal.Out, invocation.Format, new VersionOutput(Client, target?.Server.GetLeftPart(UriPartial.Authority), answer), CliJson.Default.VersionOutput);
        }
        else if (answer is not null)
        {
            terminal.Out.WriteLine(Plain.Line($"hub     {answer.Version} at {target!.Server.GetLeftPart(UriPartial.Authority)} (API {answer.ApiVersion})"));
        }

        return ExitCodes.Ok;
    }
}
