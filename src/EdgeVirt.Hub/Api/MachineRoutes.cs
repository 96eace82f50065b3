using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Api;

/// <summary>Consoles and displays of virtual machines.</summary>
internal static class MachineRoutes
{
    public static IReadOnlyList<ChannelRoute> All { get; } =
    [
        new("console", OpenChannel.VerbOneofCase.Console, "Use the serial console of a virtual machine",
            "The first frame opens with a ConsoleRequest; data frames carry StreamMessages. One caller at a time types.",
            (open, name) => open.Console.Machine = name,
            open => open.Console switch { { Force: true } => "with input, by force", { ReadOnly: true } or { Follow: false } => "output alone", _ => "with input" })
        {
            Kind = ResourceKind.VirtualMachine,
        },
        new("console/watch", OpenChannel.VerbOneofCase.Console, "Watch the serial console of a virtual machine",
            "The first frame opens with a ConsoleRequest; data frames carry StreamMessages, to the caller alone.",
            (open, name) => (open.Console.Machine, open.Console.ReadOnly, open.Console.Force) = (name, true, false),
            _ => "output alone")
        {
            Kind = ResourceKind.VirtualMachine, IsReading = true,
        },
        new("vnc", OpenChannel.VerbOneofCase.Vnc, "Connect to the display of a virtual machine",
            "The first frame opens with a VncRequest: one connection of a VNC client. One at a time.",
            (open, name) => open.Vnc.Machine = name,
            open => open.Vnc switch { { Probe: true } => "display: whether it is there", { Force: true } => "display, by force", _ => "display" })
        {
            Kind = ResourceKind.VirtualMachine,
        },
    ];
}
