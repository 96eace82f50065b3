using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Hub.Access;
using EdgeVirt.Hub.Audit;
using EdgeVirt.Hub.Backups;
using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;
using EdgeVirt.Hub.Tunnels;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Hub.Tests.Api;

/// <summary>Backups of volumes over real Kestrel and TLS, with the far end of the tunnel in this process.</summary>
internal sealed class BackupTests
{
    private HubHost hub = null!;
    private HttpClient client = null!;
    private FakeNode node = null!;

    [SetUp]
    public async Task Start()
    {
        hub = await HubHost.StartAsync();
        client = hub.Client();
        await hub.Services.GetRequiredService<ResourceStore>().CreateAsync(Manifests.Node("n1"), default);
        node = new FakeNode(hub.Services.GetRequiredService<NodeChannels>(), "n1");
    }

    [TearDown]
    public async Task Stop()
    {
        await node.DisposeAsync();
        client.Dispose();
        await hub.DisposeAsync();
    }

    [Test]
    public async Task A_backup_is_kept_listed_restored_and_deleted_and_each_is_on_the_audit_log()
    {
        var content = RandomNumberGenerator.GetBytes(700_000);
        var backup = await BackUpAsync(content);
        Assert.That((backup.Node, backup.Volume, backup.SizeBytes, backup.Sha256),
            Is.EqualTo(("n1", "journal", (long)content.Length, Convert.ToHexStringLower(SHA256.HashData(content)))));
        Assert.That(File.ReadAllBytes(FileOf(backup)), Is.EqualTo(content));
        Assert.That(File.GetUnixFileMode(FileOf(backup)), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), "it may hold anything");
        Assert.That((await ListAsync("?node=n1&volume=journal")).Items.Single(), Is.EqualTo(backup));
        Assert.That((await ListAsync("?node=n2")).Items, Is.Empty);

        var answer = client.PostAsync(new Uri($"/api/v1/nodes/n1/volumes/other/restore?backup={backup.Id}&sizeBytes=33554432", UriKind.Relative), null);
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        Assert.That(open.Open.VolumeRestore, Is.EqualTo(new VolumeRestoreRequest { Volume = "other", SizeBytes = 32 << 20 }));
        Assert.That(await ReceiveAsync(open.Channel), Is.EqualTo(content));
        node.Close(open.Channel);
        Assert.That((await LinesAsync(await answer))[^1], Is.EqualTo(new VolumeTransfer { Bytes = content.Length, IsDone = true, Backup = backup }));

        Assert.That((await client.DeleteAsync(new Uri($"/api/v1/volumebackups/{backup.Id}", UriKind.Relative))).StatusCode, Is.EqualTo(HttpStatusCode.NoContent));
        Assert.That((await ListAsync()).Items, Is.Empty);
        Assert.That(Directory.EnumerateFiles(Path.GetDirectoryName(FileOf(backup))!), Is.Empty);
        var log = (await hub.Services.GetRequiredService<AuditLog>().ReadAsync(10, default)).Select(entry => entry.Reason);
        Assert.That(log, Has.Some.EqualTo($"volume journal of node n1 is backup {backup.Id}")
            .And.Some.EqualTo($"begins: volume other of node n1 from backup {backup.Id} of volume journal of node n1")
            .And.Some.EqualTo($"backup {backup.Id} deleted"));
    }

    [Test]
    public async Task What_takes_long_is_told_of_as_it_goes_and_so_is_its_failure()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/api/v1/nodes/n1/volumes/journal/backups", UriKind.Relative));
        var answering = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        node.Send(open.Channel, new StreamMessage { Data = ByteString.CopyFromUtf8("half") });
        using var answer = await answering;
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        for (var line = 0; line < 2; line++)
        {
            Assert.That(JsonSerializer.Deserialize((await reader.ReadLineAsync())!, ContractsJson.Default.VolumeTransfer), Is.EqualTo(new VolumeTransfer { Bytes = 4 }));
        }

        node.Close(open.Channel, CloseReason.Failed, "The disk does not answer.");
        string? last = null;
        while (await reader.ReadLineAsync() is { } line)
        {
            last = line;
        }

        Assert.That(JsonSerializer.Deserialize(last!, ContractsJson.Default.VolumeTransfer), Is.EqualTo(new VolumeTransfer { Bytes = 4, Code = "Unavailable", Message = "The disk does not answer." }));
        Assert.That((await hub.Services.GetRequiredService<AuditLog>().ReadAsync(1, default))[0], Has.Property("Outcome").EqualTo("refused").And.Property("Reason").EqualTo("The disk does not answer."));
        await NothingIsKeptAsync();
    }

    [Test]
    public async Task What_the_node_refuses_is_said_and_leaves_nothing()
    {
        var answer = client.PostAsync(new Uri("/api/v1/nodes/n1/volumes/nowhere/backups", UriKind.Relative), null);
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        node.Close(open.Channel, CloseReason.NotFound, "There is no volume 'nowhere'.");
        Assert.That((await answer).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That((await (await answer).Content.ReadFromJsonAsync(ContractsJson.Default.ApiError))!.Message, Is.EqualTo("There is no volume 'nowhere'."));
        await NothingIsKeptAsync();
    }

    [Test]
    public async Task A_backup_that_breaks_off_or_is_not_what_was_sent_leaves_nothing()
    {
        var broken = client.PostAsync(new Uri("/api/v1/nodes/n1/volumes/journal/backups", UriKind.Relative), null);
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        node.Send(open.Channel, new StreamMessage { Data = ByteString.CopyFromUtf8("half") });
        node.Close(open.Channel);
        Assert.That((await ErrorAsync(await broken)).Message, Does.Contain("before it was whole"));

        var spoilt = client.PostAsync(new Uri("/api/v1/nodes/n1/volumes/journal/backups", UriKind.Relative), null);
        open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        node.Send(open.Channel, new StreamMessage { Data = ByteString.CopyFromUtf8("content") });
        node.Send(open.Channel, new StreamMessage { Digest = ByteString.CopyFrom(SHA256.HashData("another"u8)) });
        node.Send(open.Channel, new StreamMessage { End = true });
        Assert.That((await ErrorAsync(await spoilt)).Message, Does.Contain("its digest differs"));
        await NothingIsKeptAsync();
    }

    [Test]
    public async Task A_backup_that_the_disk_has_spoilt_is_never_restored()
    {
        var backup = await BackUpAsync(new byte[100_000]);
        using (var file = File.OpenWrite(FileOf(backup)))
        {
            file.Position = 50_000;
            file.WriteByte(1);
        }

        var answer = client.PostAsync(new Uri($"/api/v1/nodes/n1/volumes/journal/restore?backup={backup.Id}", UriKind.Relative), null);
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        node.Send(new TunnelFrame { Channel = open.Channel, Window = 1 << 20 });
        Assert.That((await ErrorAsync(await answer)).Message, Does.Contain("is damaged on the hub's disk"));
        while (node.TryNext(out var frame))
        {
            Assert.That(frame!.KindCase == TunnelFrame.KindOneofCase.Data && frame.Data.Span.EndsWith(StreamMessages.ToBytes(new StreamMessage { End = true }).Span), Is.False, "the node is not told that it was all");
        }
    }

    [Test]
    public async Task Bad_requests_are_answered_and_a_reader_may_only_look()
    {
        var (_, text) = await hub.Services.GetRequiredService<ApiTokens>().CreateAsync("reader", null, readOnly: true, default);
        using var reader = hub.Client(text);
        Assert.Multiple(async () =>
        {
            Assert.That((await client.PostAsync(new Uri("/api/v1/nodes/n9/volumes/journal/backups", UriKind.Relative), null)).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
            Assert.That((await client.PostAsync(new Uri("/api/v1/nodes/n1/volumes/journal/restore?backup=none", UriKind.Relative), null)).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
            Assert.That((await client.DeleteAsync(new Uri("/api/v1/volumebackups/..%2Fhub.db", UriKind.Relative))).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
            Assert.That((await reader.PostAsync(new Uri("/api/v1/nodes/n1/volumes/journal/backups", UriKind.Relative), null)).StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
            Assert.That((await reader.GetAsync(new Uri("/api/v1/volumebackups", UriKind.Relative))).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        });
        Assert.That(File.Exists(hub.Options.DatabaseFile), Is.True);
    }

    [Test]
    public async Task What_a_cut_off_transfer_left_goes_at_the_next_start_and_a_full_store_takes_no_more()
    {
        var backup = await BackUpAsync("content"u8.ToArray());
        var orphan = Path.Combine(Path.GetDirectoryName(FileOf(backup))!, "20260101-000000-abcd.tar.zst");
        File.WriteAllText(orphan, "half");
        var database = hub.Services.GetRequiredService<HubDatabase>();
        var again = new VolumeBackups(database, hub.Options with { VolumeBackupsMaxGib = 1 }, TimeProvider.System);
        Assert.That((File.Exists(orphan), File.Exists(FileOf(backup))), Is.EqualTo((false, true)));

        await database.WriteAsync((connection, _) => connection.Execute("UPDATE volume_backups SET size = $size", ("$size", 1L << 30)), default);
        using var more = new MemoryStream(new byte[10]);
        Assert.That(() => again.KeepAsync(("n1", "journal"), more, _ => { }, (_, _) => { }, default), Throws.TypeOf<ConflictException>().With.Message.Contains("1 GiB"));
    }

    private async Task<VolumeBackup> BackUpAsync(byte[] content)
    {
        var answer = client.PostAsync(new Uri("/api/v1/nodes/n1/volumes/journal/backups", UriKind.Relative), null);
        var open = await node.NextAsync(TunnelFrame.KindOneofCase.Open);
        Assert.That(open.Open.VolumeBackup.Volume, Is.EqualTo("journal"));
        var left = (long)open.Open.Window;
        foreach (var piece in content.Chunk(StreamMessages.DataBytes))
        {
            var message = new StreamMessage { Data = ByteString.CopyFrom(piece) };
            for (left -= StreamMessages.ToBytes(message).Length; left < 0;)
            {
                left += (await node.NextAsync(TunnelFrame.KindOneofCase.Window)).Window;
            }

            node.Send(open.Channel, message);
        }

        node.Send(open.Channel, new StreamMessage { Digest = ByteString.CopyFrom(SHA256.HashData(content)) });
        node.Send(open.Channel, new StreamMessage { End = true });
        node.Close(open.Channel);
        var last = (await LinesAsync(await answer))[^1];
        Assert.That(last.IsDone, Is.True, last.Message);
        return last.Backup!;
    }

    private async Task<byte[]> ReceiveAsync(uint channel)
    {
        node.Send(new TunnelFrame { Channel = channel, Window = 4 << 20 });
        await using var stream = new MessageReadStream(DigestedMessages.CheckedAsync(StreamMessages.ReadAsync(DataAsync(), default), default));
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return all.ToArray();

        async IAsyncEnumerable<ReadOnlyMemory<byte>> DataAsync()
        {
            while (true)
            {
                yield return (await node.NextAsync(TunnelFrame.KindOneofCase.Data)).Data.Memory;
            }
        }
    }

    private async Task NothingIsKeptAsync()
    {
        Assert.That((await ListAsync()).Items, Is.Empty);
        Assert.That(Directory.EnumerateFiles(Path.Combine(hub.Options.DataDir, "backups")), Is.Empty);
    }

    private async Task<VolumeBackupList> ListAsync(string query = "") =>
        (await client.GetFromJsonAsync(new Uri($"/api/v1/volumebackups{query}", UriKind.Relative), ContractsJson.Default.VolumeBackupList))!;

    private static async Task<ApiError> ErrorAsync(HttpResponseMessage answer)
    {
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        return (await answer.Content.ReadFromJsonAsync(ContractsJson.Default.ApiError))!;
    }

    private static async Task<List<VolumeTransfer>> LinesAsync(HttpResponseMessage answer) =>
        [.. (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize(line, ContractsJson.Default.VolumeTransfer)!)];

    private string FileOf(VolumeBackup backup) => Path.Combine(hub.Options.DataDir, "backups", backup.Id + ".tar.zst");
}
