namespace EdgeVirt.Hub.Storage;

internal static class StorageServices
{
    /// <summary>The database and the key for what is confidential in it, opened before anything else starts.</summary>
    public static IServiceCollection AddStorage(this IServiceCollection services, HubOptions options)
    {
        Directory.CreateDirectory(options.DataDir);
        services.AddSingleton(_ => Open(options));
        services.AddSingleton(provider => SecretsKey.Open(options.SecretsKeyFile, provider.GetRequiredService<HubDatabase>()));
        return services;
    }

    private static HubDatabase Open(HubOptions options)
    {
        // The database is made before the key, so a key alone means that the database went away.
        if (!File.Exists(options.DatabaseFile) && File.Exists(options.SecretsKeyFile))
        {
            throw new HubStorageException(
                $"{options.DatabaseFile} is missing, yet this hub has run before. It holds the fleet: restore it from a backup. " +
                $"To give up the fleet and start anew, move {options.DataDir} away.");
        }

        return new HubDatabase(options.DatabaseFile);
    }
}
