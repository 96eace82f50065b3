using EdgeVirt.Testing;
namespace EdgeVirt.Node.Tests.VirtualMachines.Consoles;
[Category("root")]
public sealed class TempDocTests
{
    [Test]
    public async Task Run()
    {
        await using var board = await ConsoleBoard.StartAsync("echo meter ready; while true; do echo -n \"meter login: \"; read line; echo Hello $line; done");
        await board!.RunAsync();
        await Task.Delay(6000);
        var dir = Path.GetDirectoryName(Path.GetDirectoryName(board.Paths.ConsoleDirectory))!;
        TestContext.Out.WriteLine(Command.Run("bash", "-c", $"SOCK={dir}/control.sock bash /tmp/vmconsole-doc.sh 2>&1"));
    }
}
