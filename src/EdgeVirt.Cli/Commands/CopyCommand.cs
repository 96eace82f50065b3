using System.CommandLine;
using System.Globalization;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt cp SRC DST</c>: files and directories into and out of a running container.</summary>
internal static class CopyCommand
{
    private const string Endpoint = "copy";

    private static readonly Argument<string> Source = new("source") { Description = "PATH here, or WORKLOAD[/CONTAINER]:PATH" };
    private static readonly Argument<string> Destination = new("destination") { Description = "The other of the two; a directory that is there is copied into" };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("cp", "Copies files and directories into or out of a running container")
        {
            Source, Destination, ChannelOptions.Node, ChannelOptions.Local, LocalAgent.Socket,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var (from, to) = (CopyPath.Parse(invocation.Get(Source)), CopyPath.Parse(invocation.Get(Destination)));
        if (from.Workload is null == to.Workload is null)
        {
            throw new CliException(
                ExitCodes.Usage,
                from.Workload is null ? "neither side is in a container." : "both sides are in containers.",
                "Write WORKLOAD:PATH on one side and a path of this machine on the other.");
        }

        using var root = RootedDirectory.Open("/");
        try
        {
            await (from.Workload is null ? SendAsync(invocation, root, from, to, ct) : ReceiveAsync(invocation, root, from, to, ct));
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CliException(ExitCodes.NotFound, fault.Message);
        }
        catch (InvalidDataException fault)
        {
            throw new CliException(ExitCodes.Failure, fault.Message);
        }

        return ExitCodes.Ok;
    }

    private static async Task SendAsync(Invocation invocation, RootedDirectory root, CopyPath from, CopyPath to, CancellationToken ct)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(from.Path));
        using var source = root.OpenSource(path);
        await using var channel = await OpenAsync(
            invocation, to, new CopyRequest { Container = to.Container, Path = to.Path, ToContainer = true, Name = Path.GetFileName(path) }, ct);
        await using var stream = new MessageWriteStream(channel.SendAsync);
        await WatchAsync(
            invocation,
            () => stream.Bytes,
            stop => channel.SendUntilClosedAsync(
                async over =>
                {
                    await TreeSender.SendAsync(source, stream, over);
                    await stream.EndAsync(over);
                },
                stop),
            ct);
    }

    private static async Task ReceiveAsync(Invocation invocation, RootedDirectory root, CopyPath from, CopyPath to, CancellationToken ct)
    {
        var name = from.Path.TrimEnd('/');
        var local = Path.GetFullPath(to.Path);
        var (directory, target) = root.OpenTarget(to.Path.EndsWith('/') && !local.EndsWith('/') ? local + "/" : local, name[(name.LastIndexOf('/') + 1)..]);
        using var _ = directory;
        await using var channel = await OpenAsync(invocation, from, new CopyRequest { Container = from.Container, Path = from.Path }, ct);
        await using var stream = new MessageReadStream(channel.ReadAllAsync(ct));
        var (user, group) = Processes.Owner;
        await WatchAsync(invocation, () => stream.Bytes, stop => TreeReceiver.ReceiveAsync(stream, directory, target, user, group, stop), ct);
    }

    private static Task<ClientChannel> OpenAsync(Invocation invocation, CopyPath remote, CopyRequest request, CancellationToken ct)
    {
        request.Workload = remote.Workload;
        return ChannelOptions.OpenAsync(invocation, remote.Workload!, Endpoint, new OpenChannel { Copy = request }, ct);
    }

    private static Task<bool> WatchAsync(Invocation invocation, Func<long> bytes, Func<CancellationToken, Task> copy, CancellationToken ct) =>
        invocation.Progress.WhileAsync(
            () => string.Create(CultureInfo.InvariantCulture, $"copied {bytes() / 1e6:0.0} MB"),
            async stop =>
            {
                await copy(stop);
                return true;
            },
            ct);
}
