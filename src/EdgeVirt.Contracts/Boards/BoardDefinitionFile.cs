namespace EdgeVirt.Contracts.Boards;

/// <summary>A <c>board.json</c>.</summary>
public static class BoardDefinitionFile
{
    /// <summary>Name of the file in the board's directory.</summary>
    public const string FileName = "board.json";

    /// <summary>Reads and checks one.</summary>
    public static BoardJsonResult<BoardDefinition> Read(ReadOnlySpan<byte> file) =>
        BoardJson.Read(file, ContractsJson.Default.BoardDefinition, BoardDefinitionValidation.Validate);
}

/// <summary>What <c>edgevirt board list</c> prints for programs.</summary>
/// <param name="Items">Ordered by name.</param>
public sealed record BoardList(IReadOnlyList<BoardDefinition> Items);
