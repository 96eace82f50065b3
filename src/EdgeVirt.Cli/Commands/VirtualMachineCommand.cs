using System.CommandLine;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt vm</c>: what is done with a virtual machine on its node.</summary>
internal static class VirtualMachineCommand
{
    public static Command Create(Terminal terminal) => new("vm", "Virtual machines on their nodes") { SnapshotCommand.Create(terminal) };
}
