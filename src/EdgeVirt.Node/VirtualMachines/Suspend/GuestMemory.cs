using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.VirtualMachines.Qmp;

namespace EdgeVirt.Node.VirtualMachines.Suspend;

/// <summary>A guest's memory cannot be saved or used; the guest itself is as it was.</summary>
internal sealed class GuestMemoryException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Has QEMU write a guest's memory into a file and read it back (its migration, over a Unix socket). The agent is at the other end, so QEMU
/// needs no right to the file, and no byte gets into a guest that is not what was saved.
/// </summary>
/// <param name="paths">Of the machine.</param>
/// <param name="time">Measures the waits.</param>
internal sealed class GuestMemory(VmPaths paths, TimeProvider time)
{
    private const int BlockBytes = 1 << 20;
    private const long CheckInterval = 64 << 20;
    private const long NoLimit = 1L << 40;
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private string Part => paths.SavedMemory + ".part";

    /// <summary>Saves it. The guest stands still already; QEMU does not run it any more afterwards unless told to.</summary>
    /// <param name="monitor">Of its QEMU.</param>
    /// <param name="user">As whom that runs.</param>
    /// <param name="checkRoom">Objects to so many bytes more on the disk.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>Bytes and SHA-256 of the file.</returns>
    /// <exception cref="GuestMemoryException">It was not saved; nothing stays of it.</exception>
    public async Task<(long Bytes, string Sha256)> SaveAsync(QmpClient monitor, uint user, Action<long> checkRoom, CancellationToken ct)
    {
        try
        {
            using var listener = Listen(user);
            using var stall = CancellationTokenSource.CreateLinkedTokenSource(ct);
            await monitor.ExecuteAsync("migrate-set-parameters", new JsonObject { ["max-bandwidth"] = NoLimit }, ct: ct);
            await monitor.ExecuteAsync("migrate", new JsonObject { ["uri"] = $"unix:{paths.StateSocket}" }, ct: ct);
            var copying = CopyAsync(listener, checkRoom, stall);
            try
            {
                await UntilMigratedAsync(monitor, copying, ct);
                var copied = await copying;
                DurableFile.Sync(Part);
                File.Move(Part, paths.SavedMemory, overwrite: true);
                DurableFile.SyncDirectory(paths.DataDirectory);
                return copied;
            }
            catch
            {
                await stall.CancelAsync();
                await ((Task)copying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await CancelAsync(monitor);
                throw;
            }
        }
        catch (Exception e) when (e is QmpException or QmpCommandException or IOException or SocketException or Disks.DiskUnavailableException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new GuestMemoryException(e is OperationCanceledException ? $"QEMU gave nothing of it for {Stall.TotalSeconds} s" : e.Message, e);
        }
        finally
        {
            File.Delete(Part);
            File.Delete(paths.StateSocket);
        }
    }

    /// <summary>Gives it to a QEMU that was started with <c>-incoming defer</c>. The guest stands still afterwards.</summary>
    /// <exception cref="GuestMemoryException">It was not taken, or is not what was saved: this QEMU must not run its guest.</exception>
    public async Task RestoreAsync(QmpClient monitor, SavedGuest saved, CancellationToken ct)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            await monitor.ExecuteAsync("migrate-incoming", new JsonObject { ["uri"] = $"unix:{paths.StateSocket}" }, ct: ct);
            await using (var file = new FileStream(paths.SavedMemory, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0))
            using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                limit.CancelAfter(Stall);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(paths.StateSocket), limit.Token);
                await SendAsync(file, socket, saved, limit);
            }

            await UntilMigratedAsync(monitor, Task.CompletedTask, ct);
        }
        catch (Exception e) when (e is QmpException or QmpCommandException or IOException or SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new GuestMemoryException(e is OperationCanceledException ? $"QEMU took nothing of it for {Stall.TotalSeconds} s" : e.Message, e);
        }
    }

    private Socket Listen(uint user)
    {
        File.Delete(paths.StateSocket);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(paths.StateSocket));
            Ownership.Set(paths.StateSocket, user, user);
            listener.Listen(1);
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    private async Task<(long Bytes, string Sha256)> CopyAsync(Socket listener, Action<long> checkRoom, CancellationTokenSource stall)
    {
        stall.CancelAfter(Stall);
        using var socket = await listener.AcceptAsync(stall.Token);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = new FileStream(
            Part, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        var block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            var (length, checkedTo) = (0L, 0L);
            for (int read; (read = await socket.ReceiveAsync(block.AsMemory(0, BlockBytes), stall.Token)) > 0;)
            {
                stall.CancelAfter(Stall);
                if (length >= checkedTo)
                {
                    checkRoom(CheckInterval);
                    checkedTo = length + CheckInterval;
                }

                hash.AppendData(block, 0, read);
                await file.WriteAsync(block.AsMemory(0, read), stall.Token);
                length += read;
            }

            return (length, Convert.ToHexStringLower(hash.GetHashAndReset()));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private static async Task SendAsync(FileStream file, Socket socket, SavedGuest saved, CancellationTokenSource limit)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            // The last block is held back until all is known to be what was saved: without it QEMU's own end mark is missing.
            for (var left = file.Length; left > 0;)
            {
                var read = await file.ReadAtLeastAsync(block.AsMemory(0, BlockBytes), (int)Math.Min(BlockBytes, left), throwOnEndOfStream: true, limit.Token);
                hash.AppendData(block, 0, read);
                left -= read;
                if (left == 0 && (file.Length != saved.Bytes || Convert.ToHexStringLower(hash.GetCurrentHash()) != saved.Sha256))
                {
                    throw new IOException(string.Create(CultureInfo.InvariantCulture, $"the file is damaged ({file.Length} of {saved.Bytes} bytes, or another content)"));
                }

                for (var sent = 0; sent < read;)
                {
                    sent += await socket.SendAsync(block.AsMemory(sent, read - sent), limit.Token);
                    limit.CancelAfter(Stall);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private async Task UntilMigratedAsync(QmpClient monitor, Task copying, CancellationToken ct)
    {
        while (true)
        {
            if (copying.IsFaulted || copying.IsCanceled)
            {
                await copying;
            }

            var state = await monitor.ExecuteAsync("query-migrate", ct: ct);
            switch (state.TryGetProperty("status", out var status) && status.ValueKind == JsonValueKind.String ? status.GetString() : null)
            {
                case "completed":
                    return;
                case "failed" or "cancelled":
                    throw new GuestMemoryException($"QEMU says: {(state.TryGetProperty("error-desc", out var why) ? why.GetString() : "its migration failed")}");
            }

            await Task.Delay(Pause, time, ct);
        }
    }

    private async Task CancelAsync(QmpClient monitor)
    {
        try
        {
            await monitor.ExecuteAsync("migrate_cancel");
            for (var i = 0; i < 100; i++)
            {
                var state = await monitor.ExecuteAsync("query-migrate");
                if (!state.TryGetProperty("status", out var status) || status.GetString() is "cancelled" or "failed" or "completed" or "none")
                {
                    return;
                }

                await Task.Delay(Pause, time);
            }
        }
        catch (Exception e) when (e is QmpException or QmpCommandException)
        {
            // The owner finds out what became of QEMU.
        }
    }
}
