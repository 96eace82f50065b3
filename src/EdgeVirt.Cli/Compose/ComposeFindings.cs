namespace EdgeVirt.Cli.Compose;

/// <summary>What a reader of a Compose file should know about one line of it.</summary>
internal sealed record ComposeFinding(int Line, string Text, bool IsLoss);

/// <summary>Collects what cannot be carried over (losses), and what is carried over in another way (notices).</summary>
internal sealed class ComposeFindings
{
    private readonly List<ComposeFinding> all = [];

    public IEnumerable<ComposeFinding> All => all.OrderBy(finding => finding.Line);

    public bool HasLoss => all.Exists(finding => finding.IsLoss);

    public void Loss(int line, string text) => all.Add(new ComposeFinding(line, text, IsLoss: true));

    public void Notice(int line, string text) => all.Add(new ComposeFinding(line, text, IsLoss: false));
}
