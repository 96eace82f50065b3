using System.CommandLine;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt vm</c>: what is done with a virtual machine.</summary>
internal static class VirtualMachineCommand
{
    public static Command Create(Terminal terminal)
    {
        var command = new Command("vm", "Virtual machines: switches them on and off, and their snapshots");
        foreach (var verb in PowerCommands.Create(terminal))
        {
            command.Add(verb);
        }

        command.Add(SnapshotCommand.Create(terminal));
        return command;
    }
}
