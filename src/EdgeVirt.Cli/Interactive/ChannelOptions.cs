using System.CommandLine;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>Options of the verbs that reach into running containers, and how these get there.</summary>
internal static class ChannelOptions
{
    public static Option<string?> Container { get; } = new("--container", "-c") { Description = "Which container; needed if there are several", HelpName = "name" };

    public static Option<string?> Node { get; } = new("--node", "-n") { Description = "Which node; needed if the workload runs on several", HelpName = "name" };

    public static Option<bool> Local { get; } = new("--local") { Description = "Ask the agent on this machine instead of the hub" };

    /// <summary>Opens a channel through the hub, or with --local straight to the agent.</summary>
    /// <param name="invocation">Whose options say which way.</param>
    /// <param name="workload">Its name.</param>
    /// <param name="path">Last part of the endpoint's address.</param>
    /// <param name="open">What to open.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task<ClientChannel> OpenAsync(Invocation invocation, string workload, string path, OpenChannel open, CancellationToken ct)
    {
        IFrameTransport transport = invocation.Get(Local)
            ? await LocalAgent.ConnectAsync(invocation, ct)
            : await WebSocketTransport.ConnectAsync(
                invocation.Target(),
                HubPaths.Query($"/api/v1/workloads/{Uri.EscapeDataString(workload)}/{path}", ("node", invocation.Get(Node))),
                invocation.Timeout,
                ct);
        return await ClientChannel.OpenAsync(transport, open, ct);
    }
}
