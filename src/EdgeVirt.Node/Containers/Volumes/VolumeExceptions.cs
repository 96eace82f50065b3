namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>A volume is not there, in other hands, or cannot be had so. The message says what to do.</summary>
internal sealed class VolumeRefusedException(string message, bool isMissing = false) : Exception(message)
{
    public bool IsMissing { get; } = isMissing;
}
