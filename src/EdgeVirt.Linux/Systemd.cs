namespace EdgeVirt.Linux;

/// <summary>What systemd does with the whole system.</summary>
public static class Systemd
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Whether the system goes down or restarts (<c>systemctl is-system-running</c> says "stopping"). False where there is no systemd, or it does not answer.</summary>
    public static async Task<bool> IsGoingDownAsync()
    {
        try
        {
            return (await ProcessRunner.RunAsync("systemctl", ["is-system-running"], Patience, check: false)).Output.Trim() == "stopping";
        }
        catch (ProcessFailedException)
        {
            return false;
        }
    }
}
