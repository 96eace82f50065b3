using EdgeVirt.Contracts.Channels;

namespace EdgeVirt.Cli.Interactive;

/// <summary>
/// A terminal's keys, up to Ctrl-P Ctrl-Q, which leave a program without ending it (as in docker attach). Ctrl-P alone goes on with
/// the key after it.
/// </summary>
/// <param name="keys">The terminal.</param>
/// <param name="detached">Called once they were pressed; after that there is no more input.</param>
internal sealed class DetachKeys(Stream keys, Action detached) : OneWayStream
{
    private const byte CtrlP = 0x10;
    private const byte CtrlQ = 0x11;

    private bool isHalf;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = new byte[Math.Max(1, buffer.Length - 1)];
        while (true)
        {
            var count = await keys.ReadAsync(read, cancellationToken);
            var given = 0;
            for (var i = 0; i < count; i++)
            {
                if (isHalf && read[i] == CtrlQ)
                {
                    detached();
                    return given;
                }

                if (isHalf)
                {
                    buffer.Span[given++] = CtrlP;
                }

                isHalf = read[i] == CtrlP;
                if (!isHalf)
                {
                    buffer.Span[given++] = read[i];
                }
            }

            if (given > 0 || count == 0)
            {
                return given;
            }
        }
    }
}
