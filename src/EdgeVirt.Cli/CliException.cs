using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Cli;

/// <summary>Ends a command: one sentence on what went wrong, one on what to do next.</summary>
/// <param name="exitCode">One of <see cref="ExitCodes"/>.</param>
/// <param name="message">What went wrong.</param>
/// <param name="hint">What to do next, where that is known.</param>
internal sealed class CliException(int exitCode, string message, string? hint = null) : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    public string? Hint { get; } = hint;

    /// <summary>Faults of a manifest, as the hub found them.</summary>
    public IReadOnlyList<FieldError> Errors { get; init; } = [];
}
