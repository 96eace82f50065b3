using System.Runtime.CompilerServices;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers.Eviction;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Interactive;
using EdgeVirt.Node.Containers.Logs;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Node.Containers.Volumes;
using EdgeVirt.Node.Control;
using EdgeVirt.Node.Networks.Names;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.Telemetry;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Containers;

internal static class ContainersServices
{
    /// <summary>Running containers, their logs and what they use. Needs images, networks and the store.</summary>
    public static IServiceCollection AddContainers(this IServiceCollection services) => services
        .AddSingleton<NodeDirectories>()
        .AddSingleton(provider => new NameServerGroup(provider.GetRequiredService<NodeDirectories>().CgroupParent))
        .AddSingleton<RecordStore>()
        .AddSingleton(_ => new Cgroups())
        .AddSingleton<QualityOfService>()
        .AddVolumes()
        .AddSingleton(provider => provider.GetRequiredService<NodeOptions>().Logs)
        .AddSingleton<LogRotation>()
        .AddSingleton<SandboxParts>()
        .AddSingleton<IContainerRuntime, OciRuntime>()
        .AddSingleton<ContainerRuntimeName>(provider => () => provider.GetRequiredService<IContainerRuntime>().Version)
        .AddSingleton<IContainerImages>(provider => provider.GetRequiredService<ImageStore>())
        .AddSingleton<IReconciler, WorkloadReconciler>()
        .AddSingleton<DataPartition>()
        .AddSingleton<ReclaimImages>(provider => () => provider.GetServices<IReconciler>().OfType<WorkloadReconciler>().ToList().ForEach(workloads => workloads.CollectGarbage()))
        .AddHostedService<DiskPressure>()
        .AddSingleton<IUsageSource, ContainerUsageSource>()
        .AddSingleton<ContainerLogs>()
        .AddImageVerbs()
        .AddLogsVerb(provider => (request, ct) => LinesOf(provider.GetRequiredService<ContainerLogs>(), request, ct))
        .AddInteractive();

    private static async IAsyncEnumerable<LogLine> LinesOf(ContainerLogs logs, LogsRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var lines = logs.ReadAsync(request, ct).GetAsyncEnumerator(ct);
        while (await NextAsync())
        {
            yield return lines.Current;
        }

        async ValueTask<bool> NextAsync()
        {
            try
            {
                return await lines.MoveNextAsync();
            }
            catch (LogsUnavailableException e)
            {
                throw new ChannelRefusedException(e.Reason, e.Message);
            }
        }
    }
}
