using System.Collections.Concurrent;

namespace EdgeVirt.Cli.Flash;

/// <summary>
/// Writes an image to several targets at once: it is read, unpacked and hashed once, in a thread each, and every target writes, reads back and verifies in a thread of its own.
/// Memory is bounded by the batches that there are, so the slowest target sets the pace of writing.
/// </summary>
/// <param name="image">What is written.</param>
/// <param name="targets">Where to.</param>
/// <param name="writer">What each card gets of its own; null: nothing.</param>
internal sealed class Flasher(ImageSource image, IReadOnlyList<TargetRun> targets, ICardWriter? writer)
{
    private const int BatchCount = 10;

    /// <summary>Flashes all targets; returns when each has its <see cref="TargetRun.Outcome"/>.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var pass = new ImagePass(image);
        var ends = targets.Select(target => OnThread(() => target.Run(pass, writer, ct))).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var home = new BlockingCollection<Batch>();
        using var read = new BlockingCollection<Batch>();
        var batches = Enumerable.Range(0, BatchCount).Select(_ => new Batch(home)).ToList();
        batches.ForEach(home.Add);
        var reading = OnThread(() => Read(pass, home, read, stop.Token));
        var spreading = OnThread(() => Spread(pass, read, stop));
        try
        {
            await Task.WhenAll(reading, spreading);
            pass.Complete();
        }
        catch (Exception fault) when (fault is FlashFault or OperationCanceledException or IOException or UnauthorizedAccessException)
        {
            pass.Fail(WhyNot(reading, spreading, ct) ?? fault);
        }
        finally
        {
            // Does nothing unless something unforeseen is on its way up.
            pass.Fail(new OperationCanceledException());
            foreach (var target in targets)
            {
                target.Queue.CompleteAdding();
            }

            await Task.WhenAll(ends);
            batches.ForEach(batch => batch.Dispose());
        }
    }

    // When one of the two fails, the other is stopped, and that is not the reason.
    private Exception? WhyNot(Task reading, Task spreading, CancellationToken ct)
    {
        var faults = new[] { reading, spreading }.SelectMany(task => task.Exception?.InnerExceptions ?? Enumerable.Empty<Exception>()).ToList();
        if (faults.OfType<FlashFault>().FirstOrDefault() is { } damaged)
        {
            return damaged;
        }

        return ct.IsCancellationRequested
            ? new OperationCanceledException(ct)
            : faults.Where(fault => fault is IOException or UnauthorizedAccessException)
                .Select(fault => new FlashFault(FlashOutcome.ImageDamaged, $"the image '{image.Path}' cannot be read: {fault.Message}", "Look at the disk that it lies on.")).FirstOrDefault();
    }

    private static Task OnThread(Action work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Read(ImagePass pass, BlockingCollection<Batch> home, BlockingCollection<Batch> read, CancellationToken stop)
    {
        try
        {
            using var reader = new ImageReader(image);
            var batch = home.Take(stop);
            foreach (var (offset, length) in ImageReader.Runs(image.Map))
            {
                for (var at = offset; at < offset + length;)
                {
                    // No piece lies on both sides of the head's end.
                    var most = at < pass.HeadBytes ? Math.Min(pass.HeadBytes, offset + length) - at : offset + length - at;
                    if (batch.TryAdd(at, most) is not { } piece)
                    {
                        read.Add(batch, stop);
                        batch = home.Take(stop);
                        continue;
                    }

                    reader.Read(at, batch[piece]);
                    at += piece.Length;
                }
            }

            read.Add(batch, stop);
            reader.Finish();
        }
        finally
        {
            read.CompleteAdding();
        }
    }

    private void Spread(ImagePass pass, BlockingCollection<Batch> read, CancellationTokenSource stop)
    {
        using var hasher = pass.Hasher();
        try
        {
            foreach (var batch in read.GetConsumingEnumerable(stop.Token))
            {
                foreach (var piece in batch.Pieces)
                {
                    hasher.Add(piece.Offset, batch[piece]);
                    pass.KeepHead(piece, batch[piece]);
                }

                var live = targets.Where(target => !target.IsOver).ToList();
                batch.HandTo(live.Count);
                if (live.Count == 0)
                {
                    stop.Cancel();
                    return;
                }

                live.ForEach(target => target.Queue.Add(batch));
            }
        }
        catch (FlashFault)
        {
            stop.Cancel();
            throw;
        }
    }
}

/// <summary>What one reading of the image leads to: its head, the digests of its ranges, and whether it is sound.</summary>
internal sealed class ImagePass(ImageSource image)
{
    private const int MostHead = 1 << 20;
    private readonly TaskCompletionSource verdict = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[][] digests = new byte[image.Map.Ranges.Count][];

    public ImageSource Image => image;

    /// <summary>The part of the image that is written last. Without it nothing boots: it holds the partition table, and what boot ROMs look for.</summary>
    public int HeadBytes { get; } = (int)Math.Min(MostHead, (image.Map.ImageBytes + 511) / 512 * 512);

    public byte[] Head => field ??= new byte[HeadBytes];

    public byte[] Digest(int range) => digests[range];

    public void KeepHead(Piece piece, ReadOnlySpan<byte> bytes)
    {
        if (piece.Offset < HeadBytes)
        {
            bytes.CopyTo(Head.AsSpan((int)piece.Offset));
        }
    }

    /// <summary>Keeps each range's digest, and holds it against the map's.</summary>
    public RangeHasher Hasher() => new(image.Map.Ranges, (number, digest) =>
    {
        var range = image.Map.Ranges[number];
        digests[number] = range.Sha256 is null || digest.AsSpan().SequenceEqual(range.Sha256)
            ? digest
            : throw new FlashFault(
                FlashOutcome.ImageDamaged, $"the image '{image.Path}' is damaged: its bytes {range.Offset} to {range.End - 1} have another SHA-256 than the block map says.",
                "Get image and block map again. Targets that were begun do not boot; flash them anew.");
    });

    public void Complete() => verdict.TrySetResult();

    public void Fail(Exception fault) => verdict.TrySetException(fault);

    /// <summary>Waits until all of the image was read.</summary>
    /// <exception cref="FlashFault">It is damaged.</exception>
    /// <exception cref="OperationCanceledException">Somebody pressed Ctrl-C.</exception>
    public void WaitUntilSound() => verdict.Task.GetAwaiter().GetResult();
}
