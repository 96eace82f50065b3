using System.Globalization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts.Boards;

/// <summary>What must hold of a <see cref="BoardDefinition"/> beyond its shape.</summary>
public static class BoardDefinitionValidation
{
    /// <summary>Least size of a card: what the two slots and a small data partition take.</summary>
    private const long LeastCardBytes = 1L << 30;

    /// <summary>Adds each fault.</summary>
    public static void Validate(BoardDefinition board, Validation v)
    {
        if (!IsName(board.Name))
        {
            v.Add("name", $"'{board.Name}' is no name of a board: 1 to {ResourceName.MaxLength} lower-case letters, digits, '-' and '_', with a letter or digit at both ends");
        }

        Text(board.Description, "description", v);
        Texts(board.BootChain, "bootChain", least: 1, v);
        Package(board.Kernel.Package, "kernel.package", v);
        Package(board.Kernel.Suite, "kernel.suite", v);
        for (var i = 0; i < board.Packages.Count; i++)
        {
            Package(board.Packages[i], $"packages[{i}]", v);
        }

        if (board.Packages.Distinct().Count() != board.Packages.Count)
        {
            v.Add("packages", "have a name twice; remove one");
        }

        for (var i = 0; i < (board.BootCode?.Packages.Count ?? 0); i++)
        {
            Package(board.BootCode!.Packages[i], $"bootCode.packages[{i}]", v);
        }

        for (var i = 0; i < board.DeviceTrees.Count; i++)
        {
            if (!board.DeviceTrees[i].EndsWith(".dtb", StringComparison.Ordinal) || board.DeviceTrees[i].Contains("..", StringComparison.Ordinal))
            {
                v.Add($"deviceTrees[{i}]", $"'{board.DeviceTrees[i]}' is no device tree of the kernel, such as broadcom/bcm2711-rpi-4-b.dtb");
            }
        }

        Texts(board.Consoles, "consoles", least: 1, v);
        for (var i = 0; i < board.Consoles.Count; i++)
        {
            if (!board.Consoles[i].StartsWith("tty", StringComparison.Ordinal) || board.Consoles[i].Contains('/'))
            {
                v.Add($"consoles[{i}]", $"'{board.Consoles[i]}' is no kernel name of a console, such as ttyS0 or tty1");
            }
        }

        foreach (var (name, device) in board.Devices ?? new Dictionary<string, string>())
        {
            if (!ResourceName.IsValid(name) || !device.StartsWith("/dev/", StringComparison.Ordinal))
            {
                v.Add($"devices.{name}", $"'{device}' must be a path below /dev, and its name lower-case letters, digits and '-'");
            }
        }

        if (board.Watchdog is { } watchdog)
        {
            if (string.IsNullOrEmpty(watchdog.Driver) || watchdog.Driver.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-')))
            {
                v.Add("watchdog.driver", $"'{watchdog.Driver}' is no module of the kernel, such as bcm2835_wdt");
            }

            if (watchdog.TimeoutSeconds is < 5 or > 600)
            {
                v.Add("watchdog.timeoutSeconds", $"is {watchdog.TimeoutSeconds}; it must be 5 to 600");
            }
        }

        Clusters(board.Clusters ?? [], v);
        Storage(board.Storage, v);
        for (var i = 0; i < board.Verified.Count; i++)
        {
            Text(board.Verified[i].What, $"verified[{i}].what", v);
        }

        Texts(board.Missing, "missing", least: 0, v);
        if (board.StatusLed is { } led && (led.Length == 0 || led.Contains('/')))
        {
            v.Add("statusLed", $"'{led}' is no name of a directory below /sys/class/leds");
        }
    }

    /// <summary>Whether a text can be the name of a board.</summary>
    public static bool IsName(string text) => ResourceName.IsValid(text.Replace('_', 'x')) && text[0] != '_' && text[^1] != '_';

    private static void Storage(BoardStorage storage, Validation v)
    {
        if (storage.MinimumBytes < LeastCardBytes)
        {
            v.Add("storage.minimumBytes", $"is {storage.MinimumBytes}; a card needs {LeastCardBytes} at least");
        }

        Texts(storage.Media ?? [], "storage.media", least: 1, v);
        if (storage.SectorBytes is not (512 or 4096))
        {
            v.Add("storage.sectorBytes", $"is {storage.SectorBytes}; it must be 512 or 4096");
        }
    }

    private static void Clusters(IReadOnlyList<CoreCluster> clusters, Validation v)
    {
        var seen = new HashSet<int>();
        for (var i = 0; i < clusters.Count; i++)
        {
            Text(clusters[i].Name, $"clusters[{i}].name", v);
            if (Cpus(clusters[i].Cpus) is not { } cpus)
            {
                v.Add($"clusters[{i}].cpus", $"'{clusters[i].Cpus}' is no list of processors, such as 0-3 or 4,5");
            }
            else if (!cpus.All(seen.Add))
            {
                v.Add($"clusters[{i}].cpus", $"'{clusters[i].Cpus}' has a processor that is there already");
            }
        }
    }

    /// <summary>Numbers of a list as the kernel writes it; null: it is none.</summary>
    private static List<int>? Cpus(string? list)
    {
        var numbers = new List<int>();
        foreach (var part in list?.Split(',') ?? [""])
        {
            var ends = part.Split('-');
            if (ends.Length > 2 || !Number(ends[0], out var first) || !Number(ends[^1], out var last) || last < first)
            {
                return null;
            }

            numbers.AddRange(Enumerable.Range(first, last - first + 1));
        }

        return numbers;
    }

    private static bool Number(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < 1024;

    private static void Texts(IReadOnlyList<string> texts, string path, int least, Validation v)
    {
        if (texts.Count < least)
        {
            v.Add(path, "must not be empty");
        }

        for (var i = 0; i < texts.Count; i++)
        {
            Text(texts[i], $"{path}[{i}]", v);
        }
    }

    private static void Text(string? text, string path, Validation v)
    {
        if (string.IsNullOrWhiteSpace(text) || text.Any(char.IsControl))
        {
            v.Add(path, "must be a line of text");
        }
    }

    private static void Package(string? name, string path, Validation v)
    {
        if (string.IsNullOrEmpty(name) || name.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '+' or '.' or '_')))
        {
            v.Add(path, $"'{name}' is no name: lower-case letters, digits, '-', '+', '.' and '_'");
        }
    }
}
