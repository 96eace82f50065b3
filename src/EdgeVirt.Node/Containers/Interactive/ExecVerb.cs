using System.Security.Cryptography;
using System.Text.Json;
using EdgeVirt.Contracts.Channels;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Terminals;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Control;

namespace EdgeVirt.Node.Containers.Interactive;

/// <summary>
/// Runs a program in a running container by the OCI runtime's <c>exec</c>, for as long as the one who asked is there.
/// The runtime stays in the foreground between the program and us: it carries what passes, the size of the terminal and the
/// exit code, alike with crun and runc.
/// </summary>
internal sealed class ExecVerb(NodeDirectories directories, RunningContainers containers, Cgroups cgroups, MarkedProcesses marked)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int MostCommandLength = 128 << 10;
    private const int CannotRun = 126;
    private const int NoSuchCommand = 127;

    private readonly Lazy<RuntimeBinary> binary = new(() => RuntimeBinary.Choose(cgroups.Layout));

    public ChannelVerb Verb => new(OpenChannel.VerbOneofCase.Exec, IsLocalOnly: false, ServeAsync);

    private async Task<string> ServeAsync(OpenChannel open, ServedChannel channel, CancellationToken ct)
    {
        var request = open.Exec;
        if (request.Command.Count == 0 || request.Command[0].Length == 0)
        {
            throw new ChannelRefusedException(CloseReason.Invalid, "Say which command is to run: edgevirt exec WORKLOAD -- COMMAND.");
        }

        if (request.Command.Sum(word => word.Length + 1) > MostCommandLength || request.Command.Any(word => word.Contains('\0', StringComparison.Ordinal)))
        {
            throw new ChannelRefusedException(CloseReason.Invalid, $"The command is longer than {MostCommandLength} characters, or contains a NUL.");
        }

        var container = containers.Find(request.Workload, request.Container);
        var mark = marked.NewMark();
        var folder = Path.Combine(directories.Private, "exec", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
        try
        {
            Directory.CreateDirectory(folder, OwnerOnly);
            WriteProcess(folder, container, request, mark);
            using var process = Start(folder, container, request);
            try
            {
                await RunAsync(process, request, channel, folder, ct);
            }
            finally
            {
                if (!process.Exit.IsCompleted)
                {
                    // First what runs in the container, which the runtime then reports; itself only if it does not.
                    await marked.KillAsync(mark);
                    process.Signal(Signals.Kill);
                    await process.Exit;
                }
            }
        }
        catch (Exception e) when (e is StartFailedException or ProcessFailedException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, e.Message);
        }
        finally
        {
            Delete(folder);
        }

        return "";
    }

    private static async Task RunAsync(AttachedProcess process, ExecRequest request, ServedChannel channel, string folder, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var writer = new StreamMessageWriter(channel.SendAsync);
        if (!request.Stdin && !request.Tty)
        {
            process.Input.Dispose();
        }

        var input = ReadInputAsync(process, request, channel, over.Token);
        var output = Task.WhenAll(
            writer.CopyFromAsync(process.Output, data => new StreamMessage { Data = data }, over.Token),
            process.Error is { } error ? writer.CopyFromAsync(error, data => new StreamMessage { Error = data }, over.Token) : Task.CompletedTask);
        try
        {
            // The input fails only where what came are no messages, or the caller is gone.
            if (await Task.WhenAny(output, input) == input)
            {
                await input;
            }

            await output;
            var code = await process.Exit.WaitAsync(ct);
            await writer.WriteAsync(new StreamMessage { ExitCode = (uint)ExitCodeOf(code, folder) }, ct);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(input, output).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task ReadInputAsync(AttachedProcess process, ExecRequest request, ServedChannel channel, CancellationToken ct)
    {
        // What the program no longer reads is dropped: its exit code says whether that matters.
        var isOpen = request.Stdin;
        await foreach (var message in StreamMessages.ReadAsync(channel.ReadAllAsync(ct), ct))
        {
            switch (message.KindCase)
            {
                case StreamMessage.KindOneofCase.Data when isOpen:
                    isOpen = await TryWriteAsync(process.Input, message.Data.Memory, ct);
                    break;
                case StreamMessage.KindOneofCase.End when isOpen && request.Tty:
                    isOpen = await TryWriteAsync(process.Input, EndOfTransmission, ct);
                    break;
                case StreamMessage.KindOneofCase.End when isOpen:
                    process.Input.Dispose();
                    isOpen = false;
                    break;
                case StreamMessage.KindOneofCase.Resize:
                    process.Resize(SizeOf(message.Resize));
                    break;
            }
        }
    }

    // Ctrl-D, the way to end the input of a terminal.
    private static ReadOnlyMemory<byte> EndOfTransmission { get; } = new byte[] { 4 };

    private static async Task<bool> TryWriteAsync(Stream stream, ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        try
        {
            await stream.WriteAsync(data, ct);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static TerminalSize SizeOf(WindowSize? size) => size is { Columns: > 0, Rows: > 0 }
        ? new TerminalSize((ushort)Math.Min(size.Columns, ushort.MaxValue), (ushort)Math.Min(size.Rows, ushort.MaxValue))
        : new TerminalSize(80, 24);

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Where the program never ran, what a shell says then: 127 no such command, 126 it cannot be run.</summary>
    private static int ExitCodeOf(int code, string folder)
    {
        if (File.Exists(PidFile(folder)) || code == 0)
        {
            return code;
        }

        var failure = RuntimeLog.FailureIn(LogFile(folder)) ?? "";
        return failure.Contains("not found", StringComparison.OrdinalIgnoreCase) || failure.Contains("no such file", StringComparison.OrdinalIgnoreCase) ? NoSuchCommand
            : failure.Contains("permission denied", StringComparison.OrdinalIgnoreCase) ? CannotRun
            : throw new ChannelRefusedException(CloseReason.Failed, $"The runtime could not run it: {(failure.Length > 0 ? failure : $"exit code {code}")}.");
    }

    private AttachedProcess Start(string folder, ContainerRecord container, ExecRequest request)
    {
        string[] args =
        [
            "--root", directories.RuntimeState, "--log", LogFile(folder), "--log-format", "json",
            "exec", "--process", Path.Combine(folder, "process.json"), "--pid-file", PidFile(folder), container.Id,
        ];
        return request.Tty
            ? AttachedProcess.StartOnTerminal(binary.Value.Runtime, args, SizeOf(request.Size))
            : AttachedProcess.Start(binary.Value.Runtime, args);
    }

    private void WriteProcess(string folder, ContainerRecord container, ExecRequest request, string mark)
    {
        byte[] process;
        try
        {
            process = ExecProcess.Make(File.ReadAllBytes(Path.Combine(directories.Bundle(container.Id), "config.json")), request, mark);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new ChannelRefusedException(CloseReason.Failed, $"The container's bundle cannot be read: {e.Message}");
        }

        using var file = new FileStream(
            Path.Combine(folder, "process.json"), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerFile });
        file.Write(process);
    }

    private static string PidFile(string folder) => Path.Combine(folder, "pid");

    private static string LogFile(string folder) => Path.Combine(folder, "runtime.log");
}
