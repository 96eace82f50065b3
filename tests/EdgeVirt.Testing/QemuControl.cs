using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace EdgeVirt.Testing;

/// <summary>The monitor of a QEMU (QMP): a JSON document a line.</summary>
internal sealed class QemuControl : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    private readonly NetworkStream stream;
    private readonly StreamReader reader;

    private QemuControl(NetworkStream stream)
    {
        this.stream = stream;
        reader = new StreamReader(stream, Encoding.UTF8);
    }

    /// <summary>Connects and makes it ready for commands.</summary>
    /// <param name="path">Unix socket.</param>
    /// <exception cref="SocketException">Nobody listens there yet.</exception>
    public static async Task<QemuControl> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }

        var control = new QemuControl(new NetworkStream(socket, ownsSocket: true));
        await control.ExecuteAsync("qmp_capabilities");
        return control;
    }

    /// <summary>Has a command carried out.</summary>
    /// <returns>What it answers.</returns>
    /// <exception cref="InvalidOperationException">It was refused.</exception>
    public async Task<JsonNode?> ExecuteAsync(string command)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes($$"""{"execute": "{{command}}"}{{"\n"}}"""));
        while (true)
        {
            var line = await reader.ReadLineAsync().WaitAsync(Timeout) ?? throw new IOException("QEMU hung up.");
            var answer = JsonNode.Parse(line)!.AsObject();
            if (answer.TryGetPropertyValue("error", out var error))
            {
                throw new InvalidOperationException($"QEMU refuses {command}: {error}");
            }

            // Greetings and events come between.
            if (answer.TryGetPropertyValue("return", out var result))
            {
                return result;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        reader.Dispose();
        await stream.DisposeAsync();
    }
}
