using System.CommandLine;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt get KIND [NAME]</c>.</summary>
internal static class GetCommand
{
    private static readonly Argument<string> Kind = Kinds.Argument();
    private static readonly Argument<string?> Name = new("name") { Description = "One resource; without it all of the kind", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Selector = new("--selector", "-l") { Description = "Only those with these labels: key=value[,key=value]", HelpName = "labels" };
    private static readonly Option<bool> Watch = new("--watch", "-w") { Description = "Go on with every change, until Ctrl-C" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("get", "Lists resources, or shows one") { Kind, Name, Selector, Watch };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var kind = Kinds.Parse(invocation.Get(Kind));
        var name = invocation.Get(Name);
        var selector = invocation.Get(Selector);
        if (name is not null && selector is not null)
        {
            throw new CliException(ExitCodes.Usage, "a name and --selector together say too much.", "Leave one of them out.");
        }

        using var hub = invocation.Connect();
        var list = await invocation.AskAsync(hub, $"reading {kind.Plural}", limit => ListAsync(hub, kind, name, selector, limit), ct);
        var view = KindTables.Of(kind);
        Show(invocation, kind, view, list, isOne: name is not null);
        if (invocation.Get(Watch))
        {
            await WatchAsync(invocation, hub, kind, view, list.ResourceVersion, ct);
        }

        return ExitCodes.Ok;
    }

    private static async Task<ResourceList> ListAsync(HubApi hub, ResourceKind kind, string? name, string? selector, CancellationToken ct)
    {
        if (name is null)
        {
            return await hub.GetAsync(HubPaths.Query(HubPaths.Of(kind), ("labelSelector", selector)), ContractsJson.Default.ResourceList, ct);
        }

        var one = await hub.GetAsync(HubPaths.Of(kind, name), ContractsJson.Default.Resource, ct);
        return new ResourceList { ResourceVersion = one.Metadata.ResourceVersion ?? 0, Items = [one] };
    }

    private static void Show(Invocation invocation, ResourceKind kind, KindTables view, ResourceList list, bool isOne)
    {
        var terminal = invocation.Terminal;
        if (invocation.Format == OutputFormat.Table)
        {
            if (list.Items.Count == 0)
            {
                invocation.Note($"There are no {kind.Plural}{(invocation.Get(Selector) is { } labels ? $" with {labels}" : "")}.");
                return;
            }

            view.Write(terminal, list.Items);
        }
        else if (invocation.Get(Watch) || (invocation.Format == OutputFormat.Yaml && !isOne))
        {
            // Several documents: what "apply -f" takes.
            foreach (var item in list.Items)
            {
                JsonOutput.WriteNext(terminal.Out, invocation.Format, Redaction.Of(item), ContractsJson.Default.Resource);
            }
        }
        else if (isOne)
        {
            JsonOutput.Write(terminal.Out, invocation.Format, Redaction.Of(list.Items[0]), ContractsJson.Default.Resource);
        }
        else
        {
            JsonOutput.Write(terminal.Out, invocation.Format, list with { Items = [.. list.Items.Select(Redaction.Of)] }, ContractsJson.Default.ResourceList);
        }
    }

    private static async Task WatchAsync(Invocation invocation, HubApi hub, ResourceKind kind, KindTables view, long from, CancellationToken ct)
    {
        var path = HubPaths.Query(HubPaths.Of(kind), ("watch", "true"), ("resourceVersion", $"{from}"), ("labelSelector", invocation.Get(Selector)));
        invocation.Terminal.Out.Flush();
        await foreach (var change in hub.StreamAsync(path, ContractsJson.Default.WatchEvent, ct))
        {
            if (change.Resource is not { } resource || (invocation.Get(Name) is { } name && resource.Metadata.Name != name))
            {
                continue;
            }

            if (invocation.Format == OutputFormat.Table)
            {
                view.WriteChange(invocation.Terminal, change.Type, resource);
                invocation.Terminal.Out.Flush();
            }
            else
            {
                JsonOutput.WriteNext(invocation.Terminal.Out, invocation.Format, change with { Resource = Redaction.Of(resource) }, ContractsJson.Default.WatchEvent);
            }
        }

        throw new CliException(ExitCodes.Unreachable, "the hub ended the watch.", "It may be starting again; run the command again to go on.");
    }
}
