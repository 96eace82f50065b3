namespace EdgeVirt.Hub.Backups;

internal static class BackupsServices
{
    /// <summary>Backups of nodes' volumes.</summary>
    public static IServiceCollection AddBackups(this IServiceCollection services) => services.AddSingleton<VolumeBackups>().AddSingleton<VolumeTransfers>();
}
