using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Node.Control;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>What people do with the node's persistent volumes, from the hub or on the board.</summary>
internal sealed class VolumeVerbs(PersistentVolumes volumes)
{
    private const int Level = 3;

    public IReadOnlyList<ChannelVerb> All =>
    [
        new(OpenChannel.VerbOneofCase.VolumeList, IsLocalOnly: false, Refusing(ListAsync)),
        new(OpenChannel.VerbOneofCase.VolumeDelete, IsLocalOnly: false, Refusing(DeleteAsync)),
        new(OpenChannel.VerbOneofCase.VolumeBackup, IsLocalOnly: false, Refusing(BackUpAsync)),
        new(OpenChannel.VerbOneofCase.VolumeRestore, IsLocalOnly: false, Refusing(RestoreAsync)),
    ];

    private async Task ListAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        using var writer = new StreamMessageWriter(channel.SendAsync);
        await using var stream = new MessageWriteStream(writer.WriteAsync);
        await stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(volumes.List(), ContractsJson.Default.LocalVolumeList), ct);
        await stream.EndAsync(ct);
    }

    private Task DeleteAsync(OpenChannel open, ServedChannel channel, CancellationToken ct) => volumes.DeleteAsync(open.VolumeDelete.Volume, ct);

    private async Task BackUpAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        using var writer = new StreamMessageWriter(channel.SendAsync);
        await using var stream = new MessageWriteStream(DigestedMessages.Sending(writer.WriteAsync));
        await using (var compressed = new CompressionStream(stream, Level, leaveOpen: true))
        {
            // So that the file tells by itself, years later, whether it is whole: zstd -t.
            compressed.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
            await volumes.BackUpAsync(open.VolumeBackup.Volume, compressed, ct);
        }

        await stream.EndAsync(ct);
    }

    private async Task RestoreAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var messages = DigestedMessages.CheckedAsync(StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct), ct);
        await using var stream = new MessageReadStream(messages);
        await using var tar = new DecompressionStream(stream, leaveOpen: true);
        await volumes.RestoreAsync(open.VolumeRestore.Volume, open.VolumeRestore.SizeBytes, tar, ct);
    }

    private static ServeChannel Refusing(Func<OpenChannel, ServedChannel, CancellationToken, Task> serve) => async (open, channel, ct) =>
    {
        try
        {
            await serve(open, channel, ct);
            return "";
        }
        catch (VolumeRefusedException e)
        {
            throw new ChannelRefusedException(e.IsMissing ? CloseReason.NotFound : CloseReason.Invalid, e.Message);
        }
        catch (ZstdException e)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"What came is no backup, or a damaged one ({e.Message}); the volume is as it was.");
        }
        catch (InvalidDataException e)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"It is no backup, or a damaged one: {e.Message}");
        }
        catch (IOException e) when (!ct.IsCancellationRequested)
        {
            throw new ChannelRefusedException(CloseReason.Failed, e.Message);
        }
    };
}
