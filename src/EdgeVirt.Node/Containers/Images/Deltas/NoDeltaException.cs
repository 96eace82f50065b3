namespace EdgeVirt.Node.Containers.Images.Deltas;

/// <summary>A layer cannot be put together from what is here and ranges of it; the message is the reason, in a few words.</summary>
internal sealed class NoDeltaException(string reason) : Exception(reason);
