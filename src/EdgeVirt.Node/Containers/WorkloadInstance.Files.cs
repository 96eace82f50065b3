namespace EdgeVirt.Node.Containers;

internal sealed partial class WorkloadInstance
{
    private WorkloadTarget? refreshed;

    /// <summary>Shows what runs the newest files of Secrets and Configs; once for each target.</summary>
    /// <exception cref="StartFailedException">One is missing; the files stay as they are.</exception>
    public void RefreshFiles(WorkloadTarget? target)
    {
        if (target is not null && !ReferenceEquals(target, refreshed) && sandbox?.Hash == target.Hash && tools.Runtime.IsUsable(sandbox))
        {
            refreshed = target;
            tools.Runtime.RefreshFiles(sandbox, target);
        }
    }
}
