using System.Text.Json;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.HubClient;

/// <summary>What login stored: <c>$XDG_CONFIG_HOME/edgevirt/config.json</c>, for its owner's eyes alone.</summary>
internal sealed record Configuration
{
    public string? CurrentContext { get; init; }

    public IReadOnlyDictionary<string, Context> Contexts { get; init; } = new Dictionary<string, Context>();

    public static string PathFor(Terminal terminal) =>
        Path.Combine(terminal.Variable("XDG_CONFIG_HOME") ?? Path.Combine(terminal.Variable("HOME") ?? "/", ".config"), "edgevirt", "config.json");

    /// <summary>The stored configuration, an empty one if there is none.</summary>
    public static Configuration Load(Terminal terminal)
    {
        var path = PathFor(terminal);
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), CliJson.Default.Configuration) ?? new Configuration();
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return new Configuration();
        }
        catch (JsonException fault)
        {
            throw new CliException(ExitCodes.Failure, $"{path} cannot be read: {fault.Message}", $"Remove it and run 'edgevirt login' again.");
        }
    }

    /// <summary>Replaces the file as a whole, readable by its owner only.</summary>
    public void Save(Terminal terminal)
    {
        var path = PathFor(terminal);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        PrivateFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, CliJson.Default.Configuration));
    }

    public Configuration With(string name, Context context) =>
        this with { CurrentContext = name, Contexts = new SortedDictionary<string, Context>(Contexts.ToDictionary(), StringComparer.Ordinal) { [name] = context } };
}

/// <summary>One hub and how to speak with it.</summary>
internal sealed record Context
{
    /// <summary>https://host:port</summary>
    public required string Server { get; init; }

    public required string Token { get; init; }

    /// <summary>The hub's authority, PEM.</summary>
    public string? Authority { get; init; }

    /// <summary>sha256:… of the hub's own certificate, where it shows no authority.</summary>
    public string? Fingerprint { get; init; }
}
