using System.CommandLine;
using System.Security.Cryptography.X509Certificates;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt login</c>: stores hub, token and pin as a context, once all three proved right.</summary>
internal static class LoginCommand
{
    private static readonly Option<string?> TokenFile = new("--token-file") { Description = "File that holds the token", HelpName = "file" };
    private static readonly Option<bool> TokenStdin = new("--token-stdin") { Description = "Read the token from standard input" };
    private static readonly Option<string?> CaFile = new("--ca-file") { Description = "The hub's authority: pki/ca.crt of its data directory", HelpName = "file" };
    private static readonly Option<string?> CaFingerprint = new("--ca-fingerprint") { Description = "sha256:… of the hub's authority", HelpName = "sha256:…" };

    public static Command Create(Output.Terminal terminal)
    {
        var command = new Command("login", "Stores how to reach a hub: its address, a token, and by what to recognise it")
        {
            TokenFile, TokenStdin, CaFile, CaFingerprint,
        };
        command.Does(terminal, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(Invocation invocation, CancellationToken ct)
    {
        var terminal = invocation.Terminal;
        var server = HubTarget.ParseServer(invocation.Server ?? terminal.Variable("EDGEVIRT_SERVER") ?? throw new CliException(
            ExitCodes.Usage, "which hub?", "Add --server https://host:8443."));
        var fromInput = invocation.Get(TokenStdin);
        var file = invocation.Get(TokenFile);
        if (fromInput == file is not null)
        {
            throw new CliException(ExitCodes.Usage, "where is the token?", "Give one of --token-file FILE and --token-stdin; a token on the command line would be seen by others.");
        }

        var token = await PrivateFile.ReadTokenAsync(file, fromInput, terminal.In, ct);
        var pinned = await PinAsync(invocation, server, canAsk: terminal.InIsTerminal && terminal.ErrorIsTerminal && !fromInput, ct);
        var context = pinned with { Token = token };

        using var hub = new HubApi(new HubTarget(server, token, TrustAnchor.Of(context)), invocation.Timeout, terminal.Time);
        var version = await invocation.AskAsync(hub, "checking the token", async limit =>
        {
            var answer = await hub.GetAsync("/api/v1/version", ContractsJson.Default.VersionAnswer, limit);
            await hub.GetAsync(HubPaths.Of(ResourceKind.Node), ContractsJson.Default.ResourceList, limit);
            return answer;
        }, ct);

        var name = invocation.ContextName ?? "default";
        Configuration.Load(terminal).With(name, context).Save(terminal);
        invocation.Say($"Logged in to {context.Server} (hub {version.Version}) as context '{name}'.");
        return ExitCodes.Ok;
    }

    /// <summary>Finds by what the hub is to be recognised from now on.</summary>
    private static async Task<Context> PinAsync(Invocation invocation, Uri server, bool canAsk, CancellationToken ct)
    {
        var bare = new Context { Server = server.GetLeftPart(UriPartial.Authority), Token = "" };
        if ((invocation.Get(CaFile) ?? invocation.Terminal.Variable("EDGEVIRT_CA_FILE")) is { } file)
        {
            return bare with { Authority = TrustAnchor.ReadAuthority(file).ExportCertificatePem() };
        }

        var wanted = invocation.Get(CaFingerprint) is { } text ? TrustAnchor.ParseFingerprint(text) : null;
        var seen = await invocation.Progress.WhileAsync(
            () => $"asking {server.Authority} for its certificate", limit => FirstContact.MakeAsync(server, invocation.Timeout, limit), ct);
        if (wanted is not null)
        {
            return Matching(bare, seen, $"sha256:{Convert.ToHexStringLower(wanted)}", server);
        }

        if (invocation.ContextName is null or "default" &&
            Configuration.Load(invocation.Terminal).Contexts.TryGetValue("default", out var known) &&
            known.Server == bare.Server && known.Authority is not null && seen.Authority?.ExportCertificatePem() == known.Authority)
        {
            return bare with { Authority = known.Authority };
        }

        var shown = seen.Authority ?? seen.Certificate;
        var fingerprint = TrustAnchor.FingerprintOf(shown);
        if (!canAsk)
        {
            throw new CliException(
                ExitCodes.Usage,
                $"the hub at {server.Authority} is not known yet; it shows {fingerprint}.",
                "Compare this with the fingerprint that the hub prints at start, then add --ca-fingerprint with it; or give --ca-file with the hub's pki/ca.crt.");
        }

        Ask(invocation, server, shown, fingerprint, isAuthority: seen.Authority is not null);
        return Pinned(bare, seen, shown);
    }

    private static Context Matching(Context bare, FirstContact seen, string fingerprint, Uri server)
    {
        var match = new[] { seen.Authority, seen.Certificate }.FirstOrDefault(one => one is not null && TrustAnchor.FingerprintOf(one) == fingerprint);
        return match is not null ? Pinned(bare, seen, match) : throw new CliException(
            ExitCodes.Unreachable,
            $"the hub at {server.Authority} shows {TrustAnchor.FingerprintOf(seen.Authority ?? seen.Certificate)}, not the fingerprint that was given.",
            "Check address and fingerprint; if both are right, somebody is in between.");
    }

    private static Context Pinned(Context bare, FirstContact seen, X509Certificate2 certificate) =>
        certificate == seen.Authority
            ? bare with { Authority = certificate.ExportCertificatePem() }
            : bare with { Fingerprint = TrustAnchor.FingerprintOf(certificate) };

    private static void Ask(Invocation invocation, Uri server, X509Certificate2 shown, string fingerprint, bool isAuthority)
    {
        var error = invocation.Terminal.Error;
        error.WriteLine($"The hub at {server.Authority} is not known yet. Its {(isAuthority ? "authority" : "certificate")} is");
        error.WriteLine($"  {Output.Plain.Line(shown.Subject)}");
        error.WriteLine($"  {fingerprint}");
        error.Write("Is this the fingerprint that the hub prints at start? [y/N] ");
        error.Flush();
        if (invocation.Terminal.In.ReadLine()?.Trim().ToLowerInvariant() is not ("y" or "yes"))
        {
            throw new CliException(ExitCodes.Failure, "nothing was stored.", "Ask whoever runs the hub for the fingerprint of its authority.");
        }
    }
}
