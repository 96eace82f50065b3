using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Manifests;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt delete KIND NAME…</c> or <c>-f</c>.</summary>
internal static class DeleteCommand
{
    private static readonly Argument<string?> Kind = new(Kinds.ArgumentName)
    {
        Description = $"One of {string.Join(", ", Kinds.Words)}",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string[]> Names = new("name") { Description = "What to delete", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string[]> Files = ApplyCommand.FileOption("Delete what these manifests state", required: false);

    public static Command Create(Terminal terminal)
    {
        var command = new Command("delete", "Deletes resources") { Kind, Names, Files };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var targets = await TargetsAsync(invocation, ct);
        if (targets is null)
        {
            return ExitCodes.Invalid;
        }

        using var hub = invocation.Connect();
        var missing = new List<(ResourceKind Kind, string Name)>();
        foreach (var (kind, name) in targets)
        {
            if (await invocation.AskAsync(hub, $"deleting {kind.Name}/{name}", limit => hub.DeleteAsync(HubPaths.Of(kind, name), limit), ct))
            {
                invocation.Say($"{kind.Name}/{name} deleted");
            }
            else
            {
                missing.Add((kind, name));
            }
        }

        // The others are gone by now: what was asked for holds, but a wrong name should not go unseen.
        return missing.Count == 0 ? ExitCodes.Ok : throw Kinds.NotFound(missing[0].Kind, string.Join("', '", missing.Select(one => one.Name)));
    }

    private static async Task<List<(ResourceKind Kind, string Name)>?> TargetsAsync(Invocation invocation, CancellationToken ct)
    {
        var word = invocation.Get(Kind);
        var names = invocation.Get(Names);
        var files = invocation.Get(Files) ?? [];
        if (word is null == (files.Length == 0) || (word is not null && names.Length == 0))
        {
            throw new CliException(ExitCodes.Usage, "what is to be deleted?", "Give a kind and names, or -f with manifests: 'edgevirt delete workload web'.");
        }

        if (word is not null)
        {
            var kind = Kinds.Parse(word);
            return [.. names.Distinct().Select(name => (kind, name))];
        }

        var sources = await ManifestSources.ReadAsync(files, invocation.Terminal.In, ct);
        if (sources.Check(out var result) is { Count: > 0 } errors)
        {
            ApplyCommand.Refuse(invocation.Terminal, errors);
            return null;
        }

        // Workloads go before what they use, which is the other way round than one writes it.
        return [.. result.Resources.Reverse().Select(resource => (ResourceKind.ByName(resource.Kind)!, resource.Metadata.Name))];
    }
}
