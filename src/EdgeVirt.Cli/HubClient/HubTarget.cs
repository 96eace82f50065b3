using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.HubClient;

/// <summary>Which hub a command speaks with: command line before environment before what login stored.</summary>
internal sealed record HubTarget(Uri Server, string? Token, TrustAnchor Trust)
{
    /// <summary>Finds the hub, null if none is named anywhere.</summary>
    public static HubTarget? Find(Terminal terminal, string? server, string? contextName)
    {
        var configuration = Configuration.Load(terminal);
        var context = ContextOf(configuration, contextName);
        var named = server ?? (contextName is null ? terminal.Variable("EDGEVIRT_SERVER") : null);
        if (named is null && context is null)
        {
            return null;
        }

        var address = ParseServer(named ?? context!.Server);

        // A stored token goes to its own hub, or to another address that proves to be it by the stored pin.
        var token = (contextName is null ? terminal.Variable("EDGEVIRT_TOKEN") : null) ??
            (context is not null && (address == ParseServer(context.Server) || context.Authority is not null) ? context.Token : null);
        var trust = (contextName is null ? terminal.Variable("EDGEVIRT_CA_FILE") : null) is { } file ? TrustAnchor.Of(TrustAnchor.ReadAuthority(file))
            : context is not null && (address == ParseServer(context.Server) || token == context.Token) ? TrustAnchor.Of(context)
            : TrustAnchor.System;
        return new HubTarget(address, token, trust);
    }

    /// <summary>https://host:port of what a person wrote: the scheme may be left out, and port 8443.</summary>
    public static Uri ParseServer(string text)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : $"https://{text}";
        if (!Uri.TryCreate(full, UriKind.Absolute, out var uri) || uri.Host.Length == 0 || uri.AbsolutePath != "/" || uri.UserInfo.Length > 0)
        {
            throw new CliException(ExitCodes.Usage, $"'{text}' is no address of a hub.", "Write https://host:8443.");
        }

        if (uri.Scheme != Uri.UriSchemeHttps)
        {
            throw new CliException(ExitCodes.Usage, $"'{text}' is not https; tokens do not travel in the open.", $"Write https://{uri.Authority}.");
        }

        var authority = full["https://".Length..].TrimEnd('/');
        var hasPort = authority.LastIndexOf(':') > authority.LastIndexOf(']');
        return hasPort ? new Uri(uri.GetLeftPart(UriPartial.Authority)) : new UriBuilder(uri) { Port = 8443 }.Uri;
    }

    private static Context? ContextOf(Configuration configuration, string? name)
    {
        var wanted = name ?? configuration.CurrentContext;
        if (wanted is not null && configuration.Contexts.TryGetValue(wanted, out var context))
        {
            return context;
        }

        return name is null ? null : throw new CliException(
            ExitCodes.NotFound,
            $"there is no context '{name}'.",
            configuration.Contexts.Count == 0 ? $"Make it with 'edgevirt login --context {name} --server https://host:8443 …'."
                : $"There are: {string.Join(", ", configuration.Contexts.Keys)}.");
    }
}
