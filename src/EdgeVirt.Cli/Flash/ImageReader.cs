using System.Security.Cryptography;
using ZstdSharp;

namespace EdgeVirt.Cli.Flash;

/// <summary>Reads an image once, from its beginning to its end, and holds it against all that is known of it.</summary>
internal sealed class ImageReader : IDisposable
{
    /// <summary>Holes up to this size between ranges are written as the zeros that they are: fewer and larger writes.</summary>
    private const long BridgedHole = 32 << 10;

    private const int ReadAhead = 1 << 20;
    private readonly ImageSource image;
    private readonly Stream stream;
    private readonly IncrementalHash? whole;
    private readonly byte[] scratch = new byte[ReadAhead];
    private long position;

    public ImageReader(ImageSource image)
    {
        this.image = image;
        stream = Open(image.Path, image.IsCompressed);
        // With a map the manifest proves the map, and the map each range; what is in neither is not written.
        whole = image.Manifest is not null && !image.HasMap ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    }

    /// <summary>Ranges and the small holes between them, as they are written.</summary>
    public static IEnumerable<(long Offset, long Length)> Runs(BlockMap map)
    {
        (long Offset, long End)? run = null;
        foreach (var range in map.Ranges)
        {
            if (run is { } before && range.Offset - before.End > BridgedHole)
            {
                yield return (before.Offset, before.End - before.Offset);
                run = null;
            }

            run = (run?.Offset ?? range.Offset, range.End);
        }

        if (run is { } last)
        {
            yield return (last.Offset, last.End - last.Offset);
        }
    }

    /// <summary>Fills the buffer with what is at <paramref name="offset"/>, which is never before what was read.</summary>
    /// <exception cref="FlashFault">The image ends before it, or is damaged.</exception>
    public void Read(long offset, Span<byte> buffer)
    {
        SkipTo(offset);
        Fill(buffer);
        whole?.AppendData(buffer);
    }

    /// <summary>Reads to the end, and checks that it is where it should be, and the digest of the whole.</summary>
    /// <exception cref="FlashFault">It is not.</exception>
    public void Finish()
    {
        SkipTo(image.Map.ImageBytes);
        if (Guarded(scratch) > 0)
        {
            throw Damaged($"it is longer than {image.Map.ImageBytes} bytes: image and block map or manifest are not of one build");
        }

        if (whole is not null && !Convert.ToHexString(whole.GetHashAndReset()).Equals(image.Manifest!.ImageSha256, StringComparison.OrdinalIgnoreCase))
        {
            throw Damaged("its SHA-256 is not the one that the manifest names");
        }
    }

    /// <summary>Bytes of a compressed image: as its header says, else by unpacking it once.</summary>
    /// <exception cref="CliException">It is damaged.</exception>
    public static long MeasureCompressed(string path)
    {
        try
        {
            using var stream = Open(path, isCompressed: true);
            var buffer = new byte[ReadAhead];
            long bytes = 0;
            for (int count; (count = stream.Read(buffer)) > 0; bytes += count)
            {
            }

            return bytes;
        }
        catch (Exception fault) when (fault is EndOfStreamException or ZstdException)
        {
            throw new CliException(ExitCodes.BadImage, $"the image '{path}' is damaged: it cannot be unpacked ({fault.Message}).", "Get it again; nothing was written.");
        }
    }

    public FlashFault Damaged(string why) =>
        new(FlashOutcome.ImageDamaged, $"the image '{image.Path}' is damaged: {why}.", "Get the image again. Targets that were begun do not boot; flash them anew.");

    public void Dispose()
    {
        stream.Dispose();
        whole?.Dispose();
    }

    private static Stream Open(string path, bool isCompressed)
    {
        var file = new FileStream(path, new FileStreamOptions { Options = FileOptions.SequentialScan, BufferSize = isCompressed ? ReadAhead : 0 });
        return isCompressed ? new DecompressionStream(file, bufferSize: ReadAhead, leaveOpen: false) : file;
    }

    private void SkipTo(long offset)
    {
        if (stream.CanSeek && whole is null)
        {
            position = stream.Length < offset ? throw Damaged($"it ends at {stream.Length}, and should have {image.Map.ImageBytes} bytes") : stream.Seek(offset, SeekOrigin.Begin);
            return;
        }

        while (position < offset)
        {
            var part = scratch.AsSpan(0, (int)Math.Min(scratch.Length, offset - position));
            Fill(part);
            whole?.AppendData(part);
        }
    }

    private void Fill(Span<byte> buffer)
    {
        for (var done = 0; done < buffer.Length;)
        {
            var count = Guarded(buffer[done..]);
            if (count == 0)
            {
                throw Damaged($"it ends at {position}, and should have {image.Map.ImageBytes} bytes");
            }

            done += count;
            position += count;
        }
    }

    private int Guarded(Span<byte> buffer)
    {
        try
        {
            return stream.Read(buffer);
        }
        catch (EndOfStreamException)
        {
            throw Damaged($"the compressed file is cut off; it goes to {position} of {image.Map.ImageBytes} bytes");
        }
        catch (ZstdException fault)
        {
            throw Damaged($"behind {position} it cannot be unpacked ({fault.Message})");
        }
    }
}
