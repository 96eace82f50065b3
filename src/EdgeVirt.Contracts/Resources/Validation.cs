using EdgeVirt.Contracts.Api;

namespace EdgeVirt.Contracts.Resources;

/// <summary>Collects the faults of one manifest and knows on which line each field stands.</summary>
public sealed class Validation
{
    private readonly Dictionary<string, int> lines = [];
    private readonly List<FieldError> errors = [];

    /// <summary>For messages: <c>Workload/web</c>.</summary>
    public string? Document { get; set; }

    /// <summary>All that was found, in the order of the text.</summary>
    public IReadOnlyList<FieldError> Errors => [.. errors.OrderBy(error => error.Line)];

    /// <summary>Whether nothing was found.</summary>
    public bool IsValid => errors.Count == 0;

    /// <summary>Remembers where a field stands.</summary>
    public void Place(string field, int line) => lines[field] = line;

    /// <summary>Records a fault at a known line.</summary>
    public void Add(int line, string field, string reason) => errors.Add(new FieldError(line, field, reason, Document));

    /// <summary>Records a fault at the line of the field, or of the nearest field around it.</summary>
    public void Add(string field, string reason) => Add(LineOf(field), field, reason);

    private int LineOf(string field)
    {
        for (var path = field; path.Length > 0; path = Parent(path))
        {
            if (lines.TryGetValue(path, out var line))
            {
                return line;
            }
        }

        return lines.GetValueOrDefault("");
    }

    private static string Parent(string path)
    {
        var cut = path.LastIndexOfAny(['.', '[']);
        return cut <= 0 ? "" : path[..cut];
    }
}
