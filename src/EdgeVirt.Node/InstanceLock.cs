namespace EdgeVirt.Node;

/// <summary>Only one agent may work on a data directory. The lock goes away with the process, however it ends.</summary>
internal sealed class InstanceLock : IDisposable
{
    // A child that the agent was just starting when it was killed has the lock until it becomes another program.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly FileStream file;

    private InstanceLock(FileStream file) => this.file = file;

    /// <summary>Makes the directories and takes the lock, waiting a moment for what an agent that was killed left behind.</summary>
    /// <exception cref="NodeOptionsException">The directories cannot be used, or another agent has them.</exception>
    public static async Task<InstanceLock> TakeAsync(NodeOptions options, TimeProvider time)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                return Take(options);
            }
            catch (NodeOptionsException) when (time.GetElapsedTime(began) < Patience)
            {
                await Task.Delay(Pause, time);
            }
        }
    }

    /// <summary>Makes the directories and takes the lock at once.</summary>
    /// <exception cref="NodeOptionsException">The directories cannot be used, or another agent has them.</exception>
    public static InstanceLock Take(NodeOptions options)
    {
        var path = Path.Combine(options.DataDir, "agent.lock");
        try
        {
            const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            Directory.CreateDirectory(options.DataDir, Owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            Directory.CreateDirectory(options.RunDir);
            return new InstanceLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new NodeOptionsException($"The data or run directory cannot be used: {e.Message} Run the agent as root, or give it other ones with --data-dir and --run-dir.");
        }
        catch (IOException e)
        {
            throw new NodeOptionsException(
                File.Exists(path)
                    ? $"Another agent works on {options.DataDir} (lock file {path}). Stop it, or give this one another --data-dir and --run-dir."
                    : $"The data or run directory cannot be used: {e.Message}");
        }
    }

    public void Dispose() => file.Dispose();
}
