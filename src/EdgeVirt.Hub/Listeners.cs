using EdgeVirt.Hub.Api;
using EdgeVirt.Hub.Enrollment;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace EdgeVirt.Hub;

/// <summary>The API port and the node port: which listens where, with which TLS, and what each serves.</summary>
internal static class Listeners
{
    private static readonly object NodePortKey = new();

    public static void UseListeners(this ConfigureWebHostBuilder host, HubOptions options) => host
        .UseKestrelHttpsConfiguration()
        .ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = RequestText.MaxBody;
            var authority = kestrel.ApplicationServices.GetRequiredService<CertificateAuthority>();
            var nodes = kestrel.ApplicationServices.GetRequiredService<NodeAuthentication>();
            var endpoints = kestrel.ApplicationServices.GetRequiredService<HubEndpoints>();
            foreach (var address in options.Listen)
            {
                kestrel.Listen(address, options.ApiPort, listen =>
                {
                    endpoints.ApiListeners.Add(listen);
                    listen.UseHttps(https => https.ServerCertificateSelector = (_, _) => authority.ServerCertificate);
                });
                kestrel.Listen(address, options.NodePort, listen =>
                {
                    endpoints.NodeListeners.Add(listen);
                    listen.Protocols = HttpProtocols.Http2;
                    listen.UseHttps(https =>
                    {
                        https.ServerCertificateSelector = (_, _) => authority.ServerCertificate;
                        https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                        https.CheckCertificateRevocation = false;
                        https.ClientCertificateValidation = (certificate, _, _) => nodes.IsOurs(certificate);
                    });
                    listen.Use(next => connection =>
                    {
                        connection.Items[NodePortKey] = true;
                        return next(connection);
                    });
                });
            }
        });

    /// <summary>What is for nodes is served on the node port only, and all else on the API port only.</summary>
    public static IApplicationBuilder UsePortSeparation(this IApplicationBuilder app) => app.Use(next => context =>
    {
        var onNodePort = context.Features.Get<IConnectionItemsFeature>()?.Items.ContainsKey(NodePortKey) == true;
        var forNodes = context.GetEndpoint()?.Metadata.GetMetadata<ForNodes>() is not null;
        if (context.GetEndpoint() is null || onNodePort == forNodes)
        {
            return next(context);
        }

        context.SetEndpoint(null);
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    });

    /// <summary>Marks endpoints of the node port.</summary>
    internal sealed class ForNodes;
}
