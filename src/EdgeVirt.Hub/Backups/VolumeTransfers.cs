using System.Security.Cryptography;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Tunnels;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Backups;

/// <summary>The node, or the hub's own disk, does not give or take a backup. The message says what to do.</summary>
internal sealed class VolumeTransferException(CloseReason reason, string message) : Exception(message)
{
    public CloseReason Reason { get; } = reason;
}

/// <summary>Carries backups between nodes and the hub's disk, by the verbs that people's own clients use.</summary>
internal sealed class VolumeTransfers(NodeChannels channels, VolumeBackups backups)
{
    private const int BufferBytes = 128 << 10;

    /// <summary>Reads a node's volume into a new backup.</summary>
    /// <exception cref="VolumeTransferException">The node refuses, or what came was not whole.</exception>
    /// <exception cref="NodeUnreachableException">The node is not there, or went away in between.</exception>
    public async Task<VolumeBackup> BackUpAsync(
        string node, string volume, Action<long> progress, Action<SqliteConnection, VolumeBackup> record, CancellationToken ct)
    {
        var open = new OpenChannel { Window = NodeChannel.Window, VolumeBackup = new VolumeBackupRequest { Volume = volume } };
        await using var channel = await channels.OpenAsync(node, open, ct);
        var messages = DigestedMessages.CheckedAsync(StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct), ct);
        await using var content = new MessageReadStream(messages);
        try
        {
            return await backups.KeepAsync((node, volume), content, progress, record, ct);
        }
        catch (Exception broken) when (broken is IOException or InvalidDataException && channel.Closed is not null)
        {
            throw RefusalOf(channel) ?? new VolumeTransferException(CloseReason.Failed, $"Node '{node}' ended the backup before it was whole. Nothing was kept; try again.");
        }
        catch (InvalidDataException damaged)
        {
            throw new VolumeTransferException(CloseReason.Failed, $"The backup is not whole: {damaged.Message}. Nothing was kept; try again.");
        }
    }

    /// <summary>Gives a node's volume the content of a backup, all or nothing.</summary>
    /// <param name="node">Not necessarily the one that the backup is from.</param>
    /// <param name="volume">Its name there.</param>
    /// <param name="sizeBytes">How large it is to be if it is not there yet; 0: it has to be there.</param>
    /// <param name="backup">What to restore.</param>
    /// <param name="progress">Told the bytes sent.</param>
    /// <param name="ct">Gives up; the volume is then as it was.</param>
    /// <exception cref="VolumeTransferException">The node refuses, or the file is damaged.</exception>
    /// <exception cref="NodeUnreachableException">The node is not there, or went away in between.</exception>
    public async Task RestoreAsync(string node, string volume, long sizeBytes, VolumeBackup backup, Action<long> progress, CancellationToken ct)
    {
        await using var file = OpenFile(backup);
        var open = new OpenChannel { Window = NodeChannel.Window, VolumeRestore = new VolumeRestoreRequest { Volume = volume, SizeBytes = sizeBytes } };
        await using var channel = await channels.OpenAsync(node, open, ct);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var sending = SendAsync(file, channel, backup, progress, over.Token);
        var closing = UntilClosedAsync(channel, over.Token);
        try
        {
            // The node closes when all is in its place, or as soon as it is clear that it will not be.
            if (await Task.WhenAny(sending, closing) == sending)
            {
                await sending;
            }

            await closing;
            if (RefusalOf(channel) is { } refusal)
            {
                throw refusal;
            }

            await sending;
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(sending, closing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task SendAsync(FileStream file, NodeChannel channel, VolumeBackup backup, Action<long> progress, CancellationToken ct)
    {
        using var writer = new StreamMessageWriter(channel.SendAsync);
        await using var stream = new MessageWriteStream(DigestedMessages.Sending(writer.WriteAsync));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferBytes];
        while (await file.ReadAsync(buffer, ct) is var read and > 0)
        {
            hash.AppendData(buffer, 0, read);
            await stream.WriteAsync(buffer.AsMemory(0, read), ct);
            progress(stream.Bytes);
        }

        // Before the end is sent, so that the node does not take what the disk has spoilt.
        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != backup.Sha256)
        {
            throw new VolumeTransferException(CloseReason.Failed, $"Backup {backup.Id} is damaged on the hub's disk; the volume is as it was. Take another backup, and look at the disk.");
        }

        await stream.EndAsync(ct);
    }

    private FileStream OpenFile(VolumeBackup backup)
    {
        try
        {
            return backups.Open(backup);
        }
        catch (IOException gone)
        {
            throw new VolumeTransferException(CloseReason.Failed, $"Backup {backup.Id} cannot be read on the hub ({gone.Message}); take another one.");
        }
    }

    private static async Task UntilClosedAsync(NodeChannel channel, CancellationToken ct)
    {
        await foreach (var _ in channel.ReadAllAsync(ct))
        {
        }
    }

    private static VolumeTransferException? RefusalOf(NodeChannel channel) =>
        channel.Closed is { } close and not { Reason: CloseReason.Done } ? new VolumeTransferException(close.Reason, close.Message) : null;
}
