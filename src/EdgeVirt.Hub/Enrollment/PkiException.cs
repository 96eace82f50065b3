namespace EdgeVirt.Hub.Enrollment;

/// <summary>The hub's own keys and certificates cannot be used as they lie there. The message says what to do.</summary>
internal sealed class PkiException(string message, Exception? inner = null) : Exception(message, inner);
