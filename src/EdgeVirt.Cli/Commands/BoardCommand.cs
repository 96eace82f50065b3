using System.CommandLine;
using EdgeVirt.Cli.Flash.Cards;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt board</c>: which boards there are images for, and what was seen working on them.</summary>
internal static class BoardCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "Name of the board" };
    private static readonly Option<string?> Boards = new("--boards") { Description = "Directory with a directory per board, instead of the boards that this program knows", HelpName = "dir" };

    public static Command Create(Terminal terminal)
    {
        var list = new Command("list", "Lists boards, and what was verified of each") { Boards };
        list.Does(terminal, (invocation, _) => Task.FromResult(List(invocation)));
        var describe = new Command("describe", "Shows all that is known of a board") { Name, Boards };
        describe.Does(terminal, (invocation, _) => Task.FromResult(Describe(invocation)));
        return new Command("board", "Kinds of boards that there are images for") { list, describe };
    }

    private static int List(Invocation invocation)
    {
        var boards = BoardCatalog.Read(invocation.Get(Boards));
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, new BoardList(boards), ContractsJson.Default.BoardList);
            return ExitCodes.Ok;
        }

        var table = new TableView("NAME", "ARCHITECTURE", "FIRMWARE", "VERIFIED", "DESCRIPTION");
        foreach (var board in boards)
        {
            table.Add(board.Name, Word(board.Architecture), Word(board.Firmware), Verified(board), board.Description);
        }

        table.Write(invocation.Terminal);
        return ExitCodes.Ok;
    }

    private static int Describe(Invocation invocation)
    {
        var (name, boards) = (invocation.Get(Name), BoardCatalog.Read(invocation.Get(Boards)));
        var board = boards.FirstOrDefault(one => one.Name == name) ?? throw new CliException(
            ExitCodes.NotFound, $"there is no board '{name}'.", $"There are {string.Join(", ", boards.Select(one => one.Name))}.");
        if (invocation.Format != OutputFormat.Table)
        {
            JsonOutput.Write(invocation.Terminal.Out, invocation.Format, board, ContractsJson.Default.BoardDefinition);
            return ExitCodes.Ok;
        }

        var description = new Description(invocation.Terminal);
        description.Field("Name", board.Name);
        description.Field("Description", board.Description);
        description.Field("Architecture", Word(board.Architecture));
        description.Field("Firmware", Word(board.Firmware));
        description.Field("Boot chain", string.Join(" → ", board.BootChain));
        description.Field("Kernel", $"{board.Kernel.Package} of {board.Kernel.Suite}");
        description.Field("Packages", string.Join(", ", board.Packages));
        description.Field("Consoles", string.Join(", ", board.Consoles));
        description.Map("Devices", board.Devices);
        description.Field("Watchdog", board.Watchdog is { } watchdog ? $"{watchdog.Driver}, {watchdog.TimeoutSeconds} s" : "none");
        description.Field("Processors", board.Clusters is { } clusters ? string.Join(", ", clusters.Select(one => $"{one.Name} ({one.Cpus})")) : null);
        description.Field("Storage", $"{string.Join(", ", board.Storage.Media)}; {Output.Description.Bytes(board.Storage.MinimumBytes)} at least");
        description.Field("Status LED", board.StatusLed);
        description.Field("Verified", Verified(board));
        foreach (var one in board.Verified)
        {
            description.Field(Word(one.How), one.What, indent: 2);
        }

        foreach (var one in board.Missing)
        {
            description.Field("Missing", one);
        }

        return ExitCodes.Ok;
    }

    private static string Verified(BoardDefinition board)
    {
        var seen = string.Join(", ", board.Verified.Select(one => one.How).Distinct().Order().Where(how => how != BoardEvidence.OnHardware).Select(Word));
        var hardware = board.Verified.Any(one => one.How == BoardEvidence.OnHardware) ? "on hardware" : "on hardware: not yet";
        return seen.Length == 0 ? hardware : $"{seen}, {hardware}";
    }

    private static string Word(BoardEvidence how) => how switch
    {
        BoardEvidence.Built => "built",
        BoardEvidence.BootedInEmulation => "booted in emulation",
        _ => "on hardware",
    };

    private static string Word(BoardArchitecture architecture) => architecture == BoardArchitecture.Arm64 ? "arm64" : "amd64";

    private static string Word(BoardFirmware firmware) => firmware switch
    {
        BoardFirmware.Uefi => "UEFI",
        BoardFirmware.UBoot => "U-Boot",
        _ => "Raspberry Pi",
    };
}
