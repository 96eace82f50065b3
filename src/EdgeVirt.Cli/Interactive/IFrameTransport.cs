using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Interactive;

/// <summary>Carries the frames of one channel: to the agent on this machine, or to the hub.</summary>
internal interface IFrameTransport : IDisposable
{
    /// <summary>The next frame; null when the other side has hung up.</summary>
    /// <exception cref="InvalidDataException">What came is no frame.</exception>
    Task<TunnelFrame?> ReadAsync(CancellationToken ct);

    /// <summary>Sends a frame; one call at a time. Nothing happens where the other side has hung up: what it had to say is still to be read.</summary>
    Task WriteAsync(TunnelFrame frame, CancellationToken ct);
}
