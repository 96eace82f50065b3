using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.Containers;

/// <summary>Secrets and Configs that changed without any container having to start again.</summary>
internal sealed partial class WorkloadOwner
{
    // What is missing is a problem of the workload; it runs on with the files that it has.
    private void RefreshFiles(List<Role> roles)
    {
        foreach (var role in roles)
        {
            try
            {
                role.Instance.RefreshFiles(role.Target);
            }
            catch (StartFailedException e)
            {
                problem = new(ReadyReasons.ReferenceMissing, e.Message);
                problemTarget = role.Target;
                retryAt = null;
                LogProblem(tools.Log, name, problem.Reason, problem.Message);
            }
        }
    }
}
