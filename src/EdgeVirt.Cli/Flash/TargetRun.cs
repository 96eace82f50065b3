using System.Collections.Concurrent;
using EdgeVirt.Linux.Storage;

namespace EdgeVirt.Cli.Flash;

/// <summary>What a target is going through.</summary>
internal enum FlashPhase
{
    Waiting,
    Writing,
    Verifying,
    Settings,
    Over,
}

/// <summary>
/// One target's way. The order is what makes it safe to be interrupted anywhere: its head is made empty and durable, the image is written behind it, made durable, read back and
/// verified, the card's own settings are written, and only then the head, its first block last.
/// </summary>
/// <param name="target">Open; it is disposed of at the end.</param>
/// <param name="index">Its place on the command line.</param>
/// <param name="time">Measures.</param>
internal sealed class TargetRun(IFlashTarget target, int index, TimeProvider time)
{
    private const int QueueDepth = 4;
    private const int FirstBlock = AlignedBuffer.Alignment;
    private long done;
    private volatile FlashPhase phase;
    private volatile bool isOver;

    public string Name => target.Name;

    /// <summary>Its place on the command line, from 0.</summary>
    public int Index => index;

    public BlockingCollection<Batch> Queue { get; } = new(QueueDepth);

    /// <summary>It takes no more batches.</summary>
    public bool IsOver => isOver;

    public FlashPhase Phase => phase;

    /// <summary>Bytes of the image that were written, and then those that were verified as well.</summary>
    public long Done => Interlocked.Read(ref done);

    public FlashOutcome Outcome { get; private set; }

    /// <summary>What went wrong, and what to do; null: nothing.</summary>
    public FlashFault? Fault { get; private set; }

    public long BytesWritten { get; private set; }

    public TimeSpan WriteTime { get; private set; }

    public TimeSpan Elapsed { get; private set; }

    public void Run(ImagePass pass, ICardWriter? writer, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        try
        {
            using (target)
            {
                FlashOrBlank(pass, writer, began, ct);
            }

            Outcome = FlashOutcome.Verified;
        }
        catch (FlashFault fault)
        {
            (Outcome, Fault) = (fault.Outcome, fault);
        }
        catch (OperationCanceledException)
        {
            Outcome = FlashOutcome.Interrupted;
            Fault = new FlashFault(FlashOutcome.Interrupted, $"{Name}: interrupted; it does not boot.", "Flash it again.");
        }
        finally
        {
            phase = FlashPhase.Over;
            Elapsed = time.GetElapsedTime(began);
        }
    }

    private void FlashOrBlank(ImagePass pass, ICardWriter? writer, long began, CancellationToken ct)
    {
        try
        {
            Flash(pass, writer, began, ct);
        }
        catch (FlashFault fault) when (fault.Outcome is FlashOutcome.VerifyFailed or FlashOutcome.LiesAboutSize)
        {
            // Something may have come to lie at its beginning that was meant for elsewhere.
            try
            {
                Blank(pass.HeadBytes);
            }
            catch (FlashFault)
            {
                // It is bad, and that is being said.
            }

            throw;
        }
    }

    private void Flash(ImagePass pass, ICardWriter? writer, long began, CancellationToken ct)
    {
        var probe = new CapacityProbe(target, pass.Image.Map.ImageBytes);
        try
        {
            phase = FlashPhase.Writing;
            Clear(pass, probe);
            foreach (var batch in Queue.GetConsumingEnumerable(CancellationToken.None))
            {
                try
                {
                    ct.ThrowIfCancellationRequested();
                    Write(batch, pass.HeadBytes);
                }
                finally
                {
                    batch.Release();
                }
            }
        }
        finally
        {
            isOver = true;
            foreach (var batch in Queue.GetConsumingEnumerable(CancellationToken.None))
            {
                batch.Release();
            }
        }

        pass.WaitUntilSound();
        target.Sync();
        WriteTime = time.GetElapsedTime(began);
        phase = FlashPhase.Verifying;
        probe.Check();
        new ReadBack(target, pass, count => Interlocked.Add(ref done, count)).Verify(ct);
        probe.Remove();
        var head = pass.Head.AsSpan().ToArray();
        if (writer is not null)
        {
            phase = FlashPhase.Settings;
            WriteSettings(writer, head);
        }

        ct.ThrowIfCancellationRequested();
        PutHead(head);
        target.Finish();
    }

    // Old partition tables, at both ends of the card, and what could be taken for a file system where the data partition will begin.
    private void Clear(ImagePass pass, CapacityProbe probe)
    {
        var size = pass.Image.Map.ImageBytes;
        if (target.Length < size)
        {
            throw new FlashFault(FlashOutcome.TooSmall, $"{Name} is too small: it has {target.Length} bytes, the image {size}.", "Nothing was written. Take a larger card.");
        }

        Blank(pass.HeadBytes);
        probe.ClearBehind();
        probe.Mark();
    }

    private void Blank(int bytes)
    {
        using var zeros = new AlignedBuffer(bytes);
        zeros.Span.Clear();
        target.Write(0, zeros.Span);
        target.Sync();
    }

    private void Write(Batch batch, int headBytes)
    {
        foreach (var piece in batch.Pieces)
        {
            if (piece.Offset >= headBytes)
            {
                target.Write(piece.Offset, batch.Padded(piece));
            }
        }

        BytesWritten += batch.Bytes;
        Interlocked.Add(ref done, batch.Bytes);
    }

    private void WriteSettings(ICardWriter writer, byte[] head)
    {
        try
        {
            using var card = new CardStream(target, head);
            writer.Write(card, index);
            card.Flush();
        }
        catch (Exception fault) when (fault is not FlashFault and (IOException or InvalidDataException or NotSupportedException))
        {
            throw new FlashFault(FlashOutcome.SettingsFailed, $"{Name}: its settings could not be written: {fault.Message.TrimEnd('.')}.", "The card does not boot. Is it an image of the node OS?", fault);
        }
    }

    private void PutHead(byte[] head)
    {
        using var buffer = new AlignedBuffer((int)AlignedBuffer.Up(head.Length));
        var bytes = buffer.Span[..head.Length];
        var first = Math.Min(FirstBlock, head.Length);
        head.CopyTo(bytes);
        if (head.Length > first)
        {
            target.Write(first, bytes[first..]);
            target.Sync();
        }

        target.Write(0, bytes[..first]);
        target.Sync();
        target.Read(0, bytes);
        var differs = bytes.CommonPrefixLength(head);
        if (differs < head.Length)
        {
            throw ReadBack.Differs(Name, differs, 1);
        }
    }
}
