using System.CommandLine;
using System.Net.Sockets;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt port-forward WORKLOAD [LOCAL:]REMOTE…</c>: ports of this machine's loopback that lead to a workload's.</summary>
internal static class PortForwardCommand
{
    private static readonly Argument<string> Workload = new("workload") { Description = "The workload's name" };
    private static readonly Argument<string[]> Ports = new("ports")
    {
        Description = "LOCAL:REMOTE, or REMOTE for the same on both sides, or :REMOTE for any free port here", Arity = ArgumentArity.OneOrMore,
    };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("port-forward", "Makes ports of a workload reachable on this machine's loopback, until Ctrl-C")
        {
            Workload, Ports, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var mappings = invocation.Get(Ports).Select(PortMapping.Parse).ToList();
        var workload = invocation.Get(Workload);
        List<TcpListener> listeners = [];
        try
        {
            foreach (var mapping in mappings)
            {
                listeners.Add(LoopbackPort.Listen(mapping.Local, $":{mapping.Remote} takes any that is free", $"{8000 + (mapping.Remote % 1000)}:{mapping.Remote}"));
            }

            foreach (var remote in mappings.Select(mapping => mapping.Remote).Distinct())
            {
                await ProbeAsync(invocation, workload, remote, ct);
            }

            var serving = mappings.Zip(listeners, (mapping, listener) =>
            {
                invocation.Say($"Forwarding {listener.LocalEndpoint} to {workload}:{mapping.Remote}");
                return new PortForwarder(invocation, workload, mapping.Remote).ServeAsync(listener, ct);
            }).ToList();
            invocation.Terminal.Flush();
            await Task.WhenAll(serving);
            return ExitCodes.Ok;
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
        }
    }

    /// <summary>Whether there is somebody to forward to is better known now than at the first connection.</summary>
    private static async Task ProbeAsync(Invocation invocation, string workload, ushort port, CancellationToken ct)
    {
        var open = new OpenChannel { PortForward = new PortForwardRequest { Workload = workload, Port = port, Probe = true } };
        await using var channel = await ChannelOptions.OpenAsync(invocation, workload, PortForwarder.Path, open, ct);
        await foreach (var _ in channel.ReadAllAsync(ct))
        {
        }
    }
}
