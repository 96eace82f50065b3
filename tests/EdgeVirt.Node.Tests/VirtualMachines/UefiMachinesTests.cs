using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Tests.Containers.Interactive;
using EdgeVirt.Node.Tests.VirtualMachines.Consoles;

namespace EdgeVirt.Node.Tests.VirtualMachines;

/// <summary>Machines without a kernel of their own to load, as Windows is installed on: EDK2 boots to its shell, and keeps what is told it.</summary>
[Category("root")]
public sealed class UefiMachinesTests
{
    private const string Vendor = "5f0c8a4e-1d2b-4c3d-9e4f-0a1b2c3d4e5f";
    private const string Kept = $"setvar Kept -guid {Vendor}";
    private const string Passing = $"setvar Passing -guid {Vendor}";

    [Test]
    public async Task A_variable_outlives_the_agent_and_the_power_and_is_of_one_machine_alone()
    {
        await using var board = await ConsoleBoard.StartAsync("");
        await board.DesireAsync(Machine("windows"), Machine("other"));
        await RunsAsync(board, "windows");
        await RunsAsync(board, "other");
        await using (var console = await OpenAsync(board, "windows"))
        {
            var shell = On(console);
            await shell.ArriveAsync(boot: 1);
            await shell.RunAsync($"{Kept} -bs -rt -nv =C0FFEE");
            await shell.RunAsync($"{Passing} -bs =C0FFEE");
            Assert.That(await shell.RunAsync(Kept), Does.Contain("C0 FF EE"));
        }

        await using (var console = await OpenAsync(board, "other"))
        {
            var shell = On(console);
            await shell.ArriveAsync(boot: 1);
            Assert.That(await shell.RunAsync(Kept), Does.Not.Contain("C0 FF EE").And.Contain("Unable to get"));
        }

        var run = board.Agent.Records.All.Single(record => record.Name == "windows").Run;
        await board.RestartAsync();
        Assert.That(board.Agent.Records.All.Single(record => record.Name == "windows").Run, Is.EqualTo(run));
        await using (var console = await OpenAsync(board, "windows"))
        {
            var shell = On(console);
            await shell.ReadyAsync();
            Assert.That(await shell.RunAsync(Passing), Does.Contain("C0 FF EE"), "the same boot: the agent's end changed nothing");
        }

        await board.DesireAsync(Machine("windows", generation: 2, power: VirtualMachinePower.Stopped));
        await board.Agent.UntilAsync("windows", status => status.State == VirtualMachineState.Stopped);
        await board.DesireAsync(Machine("windows", generation: 3));
        await RunsAsync(board, "windows");
        await using (var console = await OpenAsync(board, "windows"))
        {
            var shell = On(console);
            await shell.ArriveAsync(boot: 2);
            Assert.That(await shell.RunAsync(Passing), Does.Contain("Unable to get"), "another boot");
            Assert.That(await shell.RunAsync(Kept), Does.Contain("C0 FF EE"));
        }
    }

    private static Task<TestChannel> OpenAsync(ConsoleBoard board, string machine) => board.OpenAsync(new ConsoleRequest { Machine = machine, Follow = true, Tail = -1 });

    private static UefiShell On(TestChannel console) => new(() => console.Out, console.SendAsync);

    private static Task<VirtualMachineInstanceStatus> RunsAsync(ConsoleBoard board, string name) => board.Agent.UntilAsync(name, GuestBoard.IsReady);

    private static DesiredVirtualMachine Machine(string name, long generation = 1, VirtualMachinePower? power = null) =>
        GuestBoard.Machine(name, spec => spec with { Power = power, Boot = null }, generation);
}
