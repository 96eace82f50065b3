using System.Globalization;
using System.Text;
using EdgeVirt.Cli.Flash;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Tests;

/// <summary>A person at a terminal that is none: runs command lines in a home folder of its own.</summary>
internal sealed class CliRun : IDisposable
{
    /// <summary>The time at which all tests happen.</summary>
    public static readonly DateTimeOffset Now = new(2026, 11, 22, 18, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("edgevirt-cli-");
    private readonly Dictionary<string, string> variables = [];
    private readonly TaskCompletionSource<Action> watching = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WindowSize size = new() { Columns = 100, Rows = 40 };

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

    /// <summary>Standard output is the terminal, too.</summary>
    public bool ShowsAtTerminal { get; set; }

    /// <summary>Disks of the computer that it is.</summary>
    public IBlockTargets Disks { get; init; } = new LinuxBlockTargets();

    /// <summary>Hears each line of standard output as it is said.</summary>
    public Action<string>? Printed { get; set; }

    /// <summary>What became of the terminal: raw, restored.</summary>
    public List<string> RawModes { get; } = [];

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
        using var output = new HeardWriter(Printed) { NewLine = "\n" };
        using var error = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        using var outBytes = new MemoryStream();
        using var errorBytes = new MemoryStream();
        var terminal = new Terminal
        {
            In = new StringReader(Input),
            InBytes = new MemoryStream(Encoding.UTF8.GetBytes(Input)),
            OutBytes = outBytes,
            ErrorBytes = errorBytes,
            EnterRaw = () =>
            {
                RawModes.Add("raw");
                return new Undo(() => RawModes.Add("restored"));
            },
            Size = () => size,
            WatchSize = changed =>
            {
                watching.TrySetResult(changed);
                return new Undo(() => { });
            },
            Out = output,
            Error = error,
            InIsTerminal = AtTerminal,
            OutIsTerminal = ShowsAtTerminal,
            ErrorIsTerminal = AtTerminal,
            Variable = name => variables.GetValueOrDefault(name),
            Time = new FixedClock(),
            Disks = Disks,
        };
        var code = await App.RunAsync(args, terminal, ct).WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);
        return new CliOutcome(code, output + Encoding.UTF8.GetString(outBytes.ToArray()), error + Encoding.UTF8.GetString(errorBytes.ToArray()));
    }

    /// <summary>Ends when a command has the terminal for itself and watches its size.</summary>
    public Task TakesTerminalAsync() => watching.Task.WaitAsync(TimeSpan.FromSeconds(10));

    /// <summary>As when somebody pulls at the corner of the window, once a command watches it.</summary>
    public async Task ResizeAsync(uint columns, uint rows)
    {
        var changed = await watching.Task.WaitAsync(TimeSpan.FromSeconds(10));
        size = new WindowSize { Columns = columns, Rows = rows };
        changed();
    }

    public void Dispose() => home.Delete(recursive: true);

    private sealed class Undo(Action undo) : IDisposable
    {
        public void Dispose() => undo();
    }

    private sealed class HeardWriter(Action<string>? heard) : StringWriter(CultureInfo.InvariantCulture)
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            heard?.Invoke(value ?? "");
        }
    }

    /// <summary>Stands still for those who ask for the time; timers run as ever.</summary>
    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}

internal sealed record CliOutcome(int Code, string Out, string Error);
