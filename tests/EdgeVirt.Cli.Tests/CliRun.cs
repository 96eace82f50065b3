using System.Globalization;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Tests;

/// <summary>A person at a terminal that is none: runs command lines in a home folder of its own.</summary>
internal sealed class CliRun : IDisposable
{
    /// <summary>The time at which all tests happen.</summary>
    public static readonly DateTimeOffset Now = new(2026, 11, 22, 18, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("edgevirt-cli-");
    private readonly Dictionary<string, string> variables = [];

    public CliRun(FakeHub? hub = null)
    {
        variables["XDG_CONFIG_HOME"] = Path.Combine(home.FullName, "config");
        if (hub is not null)
        {
            variables["EDGEVIRT_SERVER"] = hub.Url;
            variables["EDGEVIRT_TOKEN"] = FakeHub.Token;
            variables["EDGEVIRT_CA_FILE"] = File("ca.crt", hub.Authority.ExportCertificatePem());
        }
    }

    public string Home => home.FullName;

    public string ConfigFile => Path.Combine(home.FullName, "config", "edgevirt", "config.json");

    public string Input { get; set; } = "";

    public bool AtTerminal { get; set; }

    public string? this[string variable]
    {
        get => variables.GetValueOrDefault(variable);
        set
        {
            variables.Remove(variable);
            if (value is not null)
            {
                variables[variable] = value;
            }
        }
    }

    public string File(string name, string content)
    {
        var path = Path.Combine(home.FullName, name);
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    public Task<CliOutcome> RunAsync(params string[] args) => RunAsync(CancellationToken.None, args);

    public async Task<CliOutcome> RunAsync(CancellationToken ct, params string[] args)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        using var error = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        var terminal = new Terminal
        {
            In = new StringReader(Input),
            Out = output,
            Error = error,
            InIsTerminal = AtTerminal,
            ErrorIsTerminal = AtTerminal,
            Variable = name => variables.GetValueOrDefault(name),
            Time = new FixedClock(),
        };
        var code = await App.RunAsync(args, terminal, ct).WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);
        return new CliOutcome(code, output.ToString(), error.ToString());
    }

    public void Dispose() => home.Delete(recursive: true);

    /// <summary>Stands still for those who ask for the time; timers run as ever.</summary>
    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}

internal sealed record CliOutcome(int Code, string Out, string Error);
