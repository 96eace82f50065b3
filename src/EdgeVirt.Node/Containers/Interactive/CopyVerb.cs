using System.Globalization;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Control;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>
/// Copies files into and out of a running container. The agent does it itself on what the container sees as its root, with
/// its volumes; the image needs no tar, and no path or link in it leads to the node's own files.
/// </summary>
internal sealed class CopyVerb(NodeDirectories directories, RunningContainers containers)
{
    private const int Overflow = 75;

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Copy, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var request = open.Copy;
        if (request.Path.Length == 0 || request.Path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "Say which path in the container.");
        }

        var container = containers.Find(request.Workload, request.Container);
        try
        {
            using var root = OpenRoot(container);
            await (request.ToContainer ? ReceiveAsync(request, container, root, channel, ct) : SendAsync(request, root, channel, ct));
            return "";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ChannelRefusedException(CloseReason.NotFound, $"In the container: {e.Message}");
        }
        catch (LinuxException e) when (e.Errno == Overflow)
        {
            // The agent's own user has no id on a mount that shows the container's.
            throw new ChannelRefusedException(CloseReason.Failed, "Volumes of a workload with hostUsers: false cannot be written to from outside. Copy to another place in the container, and move it from there by exec.");
        }
        catch (Exception e) when (e is IOException or InvalidDataException && !ct.IsCancellationRequested)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"In the container: {e.Message}");
        }
    }

    private static async Task SendAsync(CopyRequest request, RootedDirectory root, ServedChannel channel, CancellationToken ct)
    {
        using var source = root.OpenSource(request.Path);
        using var writer = new StreamMessageWriter(channel.SendAsync);
        await using var stream = new MessageWriteStream(writer.WriteAsync);
        await TreeSender.SendAsync(source, stream, ct);
        await stream.EndAsync(ct);
    }

    private async Task ReceiveAsync(CopyRequest request, ContainerRecord container, RootedDirectory root, ServedChannel channel, CancellationToken ct)
    {
        var (directory, name) = root.OpenTarget(request.Path, request.Name);
        using SafeFileHandle _ = directory;
        var (user, group) = OwnerOf(container);
        await using var stream = new MessageReadStream(StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct));
        await TreeReceiver.ReceiveAsync(stream, directory, name, user, group, ct);
    }

    private RootedDirectory OpenRoot(ContainerRecord container)
    {
        var pid = int.Parse(File.ReadAllText(directories.PidFile(container.Id)), CultureInfo.InvariantCulture);
        var root = RootedDirectory.Open($"/proc/{pid}/root");

        // Asked afterwards: as long as it runs, the number was its own.
        if (Processes.IsInCgroup(pid, directories.Cgroup(container.Id)))
        {
            return root;
        }

        root.Dispose();
        throw new ChannelRefusedException(CloseReason.NotFound, $"Container '{container.Container}' of workload '{container.Workload}' has just ended.");
    }

    /// <summary>Whoever the container runs as: what is copied into it is for its program.</summary>
    private (uint User, uint Group) OwnerOf(ContainerRecord container)
    {
        var config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(directories.Bundle(container.Id), "config.json")));
        var (user, first) = (config?["process"]?["user"], (uint?)config?["linux"]?["uidMappings"]?[0]?["hostID"] ?? 0);
        return (first + ((uint?)user?["uid"] ?? 0), first + ((uint?)user?["gid"] ?? 0));
    }
}
