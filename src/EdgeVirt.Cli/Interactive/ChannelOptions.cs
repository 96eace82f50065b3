using System.CommandLine;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Interactive;

/// <summary>Options of the verbs that reach into running containers, and how these get there.</summary>
internal static class ChannelOptions
{
    public static Option<string?> Container { get; } = new("--container", "-c") { Description = "Which container; needed if there are several", HelpName = "name" };

    public static Option<string?> Node { get; } = new("--node", "-n") { Description = "Which node; needed if it runs on several", HelpName = "name" };

    public static Option<bool> Local { get; } = new("--local") { Description = "Ask the agent on this machine instead of the hub" };

    /// <summary>Opens a channel through the hub, or with --local straight to the agent.</summary>
    /// <param name="invocation">Whose options say which way.</param>
    /// <param name="workload">Its name.</param>
    /// <param name="path">Last part of the endpoint's address.</param>
    /// <param name="open">What to open.</param>
    /// <param name="ct">Gives up.</param>
    public static Task<ClientChannel> OpenAsync(Invocation invocation, string workload, string path, OpenChannel open, CancellationToken ct) =>
        OpenAsync(invocation, ResourceKind.Workload, workload, path, open, ct);

    /// <summary>Likewise to a virtual machine.</summary>
    public static Task<ClientChannel> OpenToMachineAsync(Invocation invocation, string machine, string path, OpenChannel open, CancellationToken ct) =>
        OpenAsync(invocation, ResourceKind.VirtualMachine, machine, path, open, ct);

    /// <summary>Likewise for what a node itself keeps; through the hub, --node says which.</summary>
    /// <exception cref="CliException">Neither --node nor --local was given.</exception>
    public static Task<ClientChannel> OpenOnNodeAsync(Invocation invocation, string path, OpenChannel open, CancellationToken ct) => OpenAsync(
        invocation,
        open,
        () => invocation.Get(Node) is { } node
            ? $"/api/v1/nodes/{Uri.EscapeDataString(node)}/{path}"
            : throw new CliException(ExitCodes.Usage, "it is not said on which node.", "Give --node NAME, or on the board itself --local."),
        ct);

    private static Task<ClientChannel> OpenAsync(Invocation invocation, ResourceKind kind, string name, string path, OpenChannel open, CancellationToken ct) =>
        OpenAsync(invocation, open, () => HubPaths.Query($"/api/v1/{kind.Plural}/{Uri.EscapeDataString(name)}/{path}", ("node", invocation.Get(Node))), ct);

    private static async Task<ClientChannel> OpenAsync(Invocation invocation, OpenChannel open, Func<string> path, CancellationToken ct)
    {
        IFrameTransport transport = invocation.Get(Local)
            ? await LocalAgent.ConnectAsync(invocation, ct)
            : await WebSocketTransport.ConnectAsync(invocation.Target(), path(), invocation.Timeout, ct);
        return await ClientChannel.OpenAsync(transport, open, ct);
    }
}
