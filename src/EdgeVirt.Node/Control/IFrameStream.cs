using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Control;

/// <summary>Carries frames both ways: the tunnel to the hub, or the control socket.</summary>
internal interface IFrameStream
{
    /// <summary>The next frame; null when the other side has ended.</summary>
    Task<TunnelFrame?> ReadAsync(CancellationToken ct);

    /// <summary>Sends a frame. One call at a time.</summary>
    Task WriteAsync(TunnelFrame frame, CancellationToken ct);
}
