namespace EdgeVirt.Node.Boards;

/// <summary><c>edgevirt-agent prepare</c>: the board's settings become the system's, once per boot.</summary>
internal static class PrepareVerb
{
    private const int Ok = 0;
    private const int Unusable = 2;

    /// <summary>Prepares this board. Settings that are wrong are named and are no failure.</summary>
    public static int Run(IReadOnlyList<string> args, TextWriter error)
    {
        try
        {
            foreach (var fault in new Preparation(BoardPaths.Read(args), BoardSystem.Machine, _ => { }).Run())
            {
                error.WriteLine($"edgevirt-agent: {fault}");
            }

            return Ok;
        }
        catch (NodeOptionsException e)
        {
            error.WriteLine($"edgevirt-agent: {e.Message}");
            return Unusable;
        }
    }
}
