using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers.Probes;

/// <summary>Something done to a running container from outside: what probes and hooks are made of.</summary>
internal abstract record ContainerAction
{
    public sealed record Exec(IReadOnlyList<string> Command) : ContainerAction;

    public sealed record HttpGet(HttpGetAction Request) : ContainerAction;

    public sealed record TcpSocket(int Port) : ContainerAction;

    public sealed record Grpc(int Port, string Service) : ContainerAction;

    public static ContainerAction Of(LifecycleHandler hook) => hook switch
    {
        { Exec: { } exec } => new Exec(exec.Command),
        { HttpGet: { } get } => new HttpGet(get),
        _ => throw new InvalidOperationException("a hook without a kind"),
    };

    public static ContainerAction Of(Probe probe) => probe switch
    {
        { Exec: { } exec } => new Exec(exec.Command),
        { HttpGet: { } get } => new HttpGet(get),
        { TcpSocket: { } socket } => new TcpSocket(socket.Port),
        { Grpc: { } grpc } => new Grpc(grpc.Port, grpc.Service ?? ""),
        _ => throw new InvalidOperationException("a probe without a kind"),
    };
}

/// <summary>What came of an action.</summary>
/// <param name="Succeeded">As the kind of action defines it.</param>
/// <param name="Message">For people, where it failed.</param>
internal sealed record ActionAnswer(bool Succeeded, string? Message = null)
{
    public static ActionAnswer Success { get; } = new(true);

    public static ActionAnswer Failed(string message) => new(false, message);
}
