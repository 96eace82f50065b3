namespace EdgeVirt.Hub.Tunnels;

/// <summary>A node cannot be talked to now: it is not connected, did not dial in, or went away in between.</summary>
internal sealed class NodeUnreachableException(string message) : Exception(message);
