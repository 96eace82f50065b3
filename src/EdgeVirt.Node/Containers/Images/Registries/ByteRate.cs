namespace EdgeVirt.Node.Containers.Images.Registries;

/// <summary>Most bytes that all image downloads of a node take together per second; 0: as many as the link gives.</summary>
internal sealed class ByteRate(long bytesPerSecond, TimeProvider time)
{
    private const int LeastPiece = 512;

    private readonly Lock _lock = new();
    private long _free;

    /// <summary>How much to read at a time, so that pauses stay short.</summary>
    public int Piece(int most) => bytesPerSecond == 0 ? most : (int)Math.Clamp(bytesPerSecond / 8, LeastPiece, most);

    /// <summary>Waits until so many bytes, which came, are within the rate.</summary>
    public async ValueTask PassAsync(int bytes, CancellationToken ct)
    {
        if (bytesPerSecond == 0)
        {
            return;
        }

        TimeSpan pause;
        lock (_lock)
        {
            var now = time.GetTimestamp();
            _free = Math.Max(_free, now) + (long)((double)bytes / bytesPerSecond * time.TimestampFrequency);
            pause = time.GetElapsedTime(now, _free);
        }

        await Task.Delay(pause, time, ct);
    }
}
