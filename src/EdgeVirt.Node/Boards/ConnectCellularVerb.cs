using System.Runtime.InteropServices;
using System.Text.Json;

namespace EdgeVirt.Node.Boards;

/// <summary><c>edgevirt-agent connect-cellular</c>: stays, and keeps the board on the cellular network that its card names.</summary>
internal static class ConnectCellularVerb
{
    private const int Ok = 0;
    private const int Unusable = 2;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    /// <summary>Runs until it is told to end.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter output, TextWriter error)
    {
        try
        {
            var paths = BoardPaths.Read(args);
            if (!File.Exists(paths.Cellular) || JsonSerializer.Deserialize(await File.ReadAllBytesAsync(paths.Cellular), BoardSettingsJson.Default.CellularSettings) is not { } settings)
            {
                throw new NodeOptionsException("the board's settings name no cellular network.");
            }

            using var end = new CancellationTokenSource();
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => { signal.Cancel = true; end.Cancel(); });
            using var timer = new PeriodicTimer(Pause);
            var link = new CellularLink(CellularLink.Machine, Path.Combine(paths.Run, "systemd/network"), output.WriteLine);
            try
            {
                do
                {
                    await link.CheckAsync(settings, end.Token);
                }
                while (await timer.WaitForNextTickAsync(end.Token));
            }
            catch (OperationCanceledException)
            {
                // Told to end.
            }

            return Ok;
        }
        catch (Exception e) when (e is NodeOptionsException or JsonException or IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync($"edgevirt-agent: {e.Message}");
            return Unusable;
        }
    }
}
