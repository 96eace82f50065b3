using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Hub.Resources;

/// <summary>Somebody else was faster, or the name is taken. HTTP 409.</summary>
internal sealed class ConflictException(string message, string hint) : Exception(message)
{
    /// <summary>What to do next.</summary>
    public string Hint { get; } = hint;
}

/// <summary>What was handed in cannot be, field by field. HTTP 400.</summary>
internal sealed class InvalidResourceException(IReadOnlyList<FieldError> errors)
    : Exception(string.Join("; ", errors.Select(error => $"{error.Document}: {error.Field} {error.Reason}")))
{
    /// <summary>Each fault.</summary>
    public IReadOnlyList<FieldError> Errors { get; } = errors;
}

/// <summary>A watch asks for changes that are no longer kept. HTTP 410.</summary>
internal sealed class GoneException(string message) : Exception(message);
