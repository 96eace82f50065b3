namespace EdgeVirt.Cli.Output;

/// <summary>How results are written to standard output.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>For programs; a stream of results is one document per line.</summary>
    Json,

    /// <summary>For people and files.</summary>
    Yaml,
}
