using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Boards;

/// <summary>
/// Keeps a board on its cellular network: ModemManager connects, and the addresses that the network gave become a <c>.network</c> file. Runs beside the agent, so
/// that the link lives without it.
/// </summary>
/// <param name="run">Runs mmcli and networkctl.</param>
/// <param name="directory">Where systemd-networkd reads.</param>
/// <param name="say">Told what changed; never a secret.</param>
internal sealed class CellularLink(RunTool run, string directory, Action<string> say)
{
    private const string FileName = "70-edgevirt-cellular.network";
    private const int Metric = 700;

    // Its standard error may repeat the arguments, which have secrets in them: only its exit code goes on.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(150);

    private string? told;

    /// <summary>Over the programs of this machine.</summary>
    public static RunTool Machine { get; } = async (file, args, ct) =>
    {
        var result = await ProcessRunner.RunAsync(file, args, Patience, ct: ct, check: false);
        return result.ExitCode == 0 ? result.Output : throw new ProcessFailedException(file, string.Create(CultureInfo.InvariantCulture, $"ended with exit code {result.ExitCode}"));
    };

    /// <summary>Looks once, and connects where there is no connection. False where there is none afterwards.</summary>
    public async Task<bool> CheckAsync(CellularSettings settings, CancellationToken ct)
    {
        try
        {
            if (await BearerAsync(ct) is null)
            {
                await run("mmcli", ["--modem=any", $"--simple-connect={Properties(settings)}"], ct);
            }

            var bearer = await BearerAsync(ct);
            if (bearer is null)
            {
                Tell("The modem is not connected.");
                return false;
            }

            await ConfigureAsync(JsonNode.Parse(await run("mmcli", ["--bearer=" + bearer, "--output-json"], ct))?["bearer"], ct);
            return true;
        }
        catch (Exception e) when (e is ProcessFailedException or JsonException or InvalidOperationException)
        {
            Tell(e is ProcessFailedException ? $"The cellular network cannot be joined: {e.Message}" : "ModemManager gave an answer that cannot be read.");
            return false;
        }
    }

    // Values may have commas, so they are quoted; ModemManager knows no way to write a quote within quotes but the other kind.
    private static string Properties(CellularSettings settings)
    {
        List<string> properties = [$"apn={settings.Apn}"];
        Add("user", settings.User);
        Add("password", settings.Password);
        Add("pin", settings.Pin);
        return string.Join(',', properties);

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                var quote = value.Contains('"', StringComparison.Ordinal) ? '\'' : '"';
                if (value.Contains(quote, StringComparison.Ordinal))
                {
                    throw new ProcessFailedException("mmcli", $"takes no {name} that has both kinds of quotes");
                }

                properties.Add($"{name}={quote}{value}{quote}");
            }
        }
    }

    private async Task<string?> BearerAsync(CancellationToken ct)
    {
        var modem = JsonNode.Parse(await run("mmcli", ["--modem=any", "--output-json"], ct))?["modem"]?["generic"];
        return (string?)modem?["state"] == "connected" ? (string?)(modem["bearers"] as JsonArray)?.LastOrDefault() : null;
    }

    private async Task ConfigureAsync(JsonNode? bearer, CancellationToken ct)
    {
        if (Value(bearer?["status"]?["interface"]) is not { } name)
        {
            throw new InvalidOperationException("no interface");
        }

        var text = new StringBuilder($"[Match]\nName={name}\n\n[Network]\nIPv6AcceptRA=yes\n");
        var dns = new List<string>();
        var gateways = new List<string>();
        foreach (var ip in new[] { bearer!["ipv4-config"], bearer["ipv6-config"] })
        {
            if (Value(ip?["method"]) is "static" && Value(ip!["address"]) is { } address)
            {
                text.Append($"Address={address}/{Value(ip["prefix"]) ?? "32"}\n");
                dns.AddRange((ip["dns"] as JsonArray ?? []).Select(Value).OfType<string>());
                gateways.AddRange(new[] { Value(ip["gateway"]) }.OfType<string>());
            }
            else if (Value(ip?["method"]) is "dhcp")
            {
                text.Append("DHCP=yes\n");
            }
        }

        dns.ForEach(server => text.Append($"DNS={server}\n"));
        gateways.ForEach(gateway => text.Append($"\n[Route]\nGateway={gateway}\nGatewayOnLink=yes\nMetric={Metric}\n"));
        text.Append($"\n[DHCPv4]\nUseHostname=no\nRouteMetric={Metric}\n\n[IPv6AcceptRA]\nRouteMetric={Metric}\n");

        var path = Path.Combine(directory, FileName);
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(bytes))
        {
            DurableFile.Replace(path, bytes, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            await run("networkctl", ["reload"], ct);
        }

        Tell($"Connected by {name}.");
    }

    // mmcli writes "--" where there is nothing.
    private static string? Value(JsonNode? node) => (string?)node is { Length: > 0 } text and not "--" ? text : null;

    private void Tell(string what)
    {
        if (told != what)
        {
            told = what;
            say(what);
        }
    }
}
