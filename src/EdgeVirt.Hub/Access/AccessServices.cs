namespace EdgeVirt.Hub.Access;

internal static class AccessServices
{
    public static IServiceCollection AddAccess(this IServiceCollection services) => services.AddSingleton<ApiTokens>();

    public static IApplicationBuilder UseAccess(this IApplicationBuilder app) => app.UseMiddleware<BearerAuthentication>();
}
