namespace EdgeVirt.Hub.Enrollment;

internal static class EnrollmentServices
{
    /// <summary>The authority, who is which node, claim tokens and the enrollment calls.</summary>
    public static IServiceCollection AddEnrollment(this IServiceCollection services)
    {
        services.AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<HubOptions>();
            return CertificateAuthority.Open(options.PkiDirectory, options.Advertise, provider.GetRequiredService<TimeProvider>());
        });
        services.AddSingleton<NodeIdentities>();
        services.AddSingleton<NodeAuthentication>();
        services.AddSingleton<RefusedAttempts>();
        services.AddSingleton<ClaimTokens>();
        services.AddSingleton<Enroller>();
        services.AddSingleton<EnrollmentIssuer>();
        services.AddHostedService<NodeRemovals>();
        services.AddGrpc();
        return services;
    }

    /// <summary>The enrollment calls, for the node port.</summary>
    public static IEndpointConventionBuilder MapEnrollment(this IEndpointRouteBuilder app) => app.MapGrpcService<EnrollmentService>();
}
