using EdgeVirt.Contracts.Boards;

namespace EdgeVirt.Node.Boards;

/// <summary>Where a board's settings come from and go to.</summary>
internal sealed record BoardPaths
{
    /// <summary>Where the first partition is mounted.</summary>
    public string Esp { get; init; } = "/boot/esp";

    /// <summary>As <see cref="NodeOptions.DataDir"/>.</summary>
    public string DataDir { get; init; } = "/var/lib/edgevirt";

    /// <summary>What is made anew with each boot.</summary>
    public string Run { get; init; } = "/run";

    /// <summary>Where /usr is: "/" but in tests.</summary>
    public string Root { get; init; } = "/";

    /// <summary>The settings on the card.</summary>
    public string CardFile => Path.Combine(Esp, BoardSettings.DirectoryName, BoardSettings.FileName);

    /// <summary>What the board keeps of them.</summary>
    public string Kept => DirectoryOf(DataDir);

    /// <summary>The settings without the claim token.</summary>
    public string Copy => Path.Combine(Kept, "settings.json");

    /// <summary>The claim token until it was used.</summary>
    public string ClaimToken => ClaimTokenOf(DataDir);

    /// <summary>SHA-256 of the newest claim token that was taken from the card.</summary>
    public string ClaimTaken => Path.Combine(Kept, "claim.taken");

    /// <summary>Its modification time is the newest that the board was known to have.</summary>
    public string Clock => ClockOf(DataDir);

    /// <summary>What the agent and others read of the preparation.</summary>
    public string Prepared => Path.Combine(Run, "edgevirt", "board");

    /// <summary>What of the settings is wrong, a line each.</summary>
    public string Faults => FaultsOf(Path.Combine(Run, "edgevirt"));

    /// <summary>Options that the agent has by its board.</summary>
    public string AgentOptions => Path.Combine(Prepared, "agent.json");

    /// <summary>The cellular network to join; absent: none.</summary>
    public string Cellular => Path.Combine(Prepared, "cellular.json");

    /// <summary>What a board keeps, below a data directory.</summary>
    public static string DirectoryOf(string dataDir) => Path.Combine(dataDir, "board");

    /// <summary>See <see cref="ClaimToken"/>.</summary>
    public static string ClaimTokenOf(string dataDir) => Path.Combine(DirectoryOf(dataDir), "claim.token");

    /// <summary>See <see cref="Clock"/>.</summary>
    public static string ClockOf(string dataDir) => Path.Combine(DirectoryOf(dataDir), "clock");

    /// <summary>See <see cref="Faults"/>.</summary>
    /// <param name="runDir">As <see cref="NodeOptions.RunDir"/>.</param>
    public static string FaultsOf(string runDir) => Path.Combine(runDir, "board", "faults");

    /// <summary>Reads <c>--esp</c>, <c>--data-dir</c>, <c>--run</c> and <c>--root</c>.</summary>
    /// <exception cref="NodeOptionsException">Something else is there.</exception>
    public static BoardPaths Read(IReadOnlyList<string> args)
    {
        var paths = new BoardPaths();
        for (var i = 0; i < args.Count; i += 2)
        {
            var value = i + 1 < args.Count ? args[i + 1] : throw new NodeOptionsException($"{args[i]} wants a directory.");
            paths = args[i] switch
            {
                "--esp" => paths with { Esp = value },
                "--data-dir" => paths with { DataDir = value },
                "--run" => paths with { Run = value },
                "--root" => paths with { Root = value },
                _ => throw new NodeOptionsException($"'{args[i]}' is no option here. Options: --esp, --data-dir, --run, --root."),
            };
        }

        return paths;
    }
}
