using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Flash;

/// <summary>What <c>edgevirt flash -o json</c> prints.</summary>
internal sealed record FlashReport
{
    public required string Image { get; init; }

    public required long ImageBytes { get; init; }

    /// <summary>Bytes of it that hold data, by its block map.</summary>
    public required long MappedBytes { get; init; }

    /// <summary><c>signed</c> or <c>notProven</c>.</summary>
    public required string Origin { get; init; }

    public required IReadOnlyList<FlashedTarget> Targets { get; init; }

    public static FlashReport Of(ImageSource image, IEnumerable<TargetRun> runs) => new()
    {
        Image = image.Path,
        ImageBytes = image.Map.ImageBytes,
        MappedBytes = image.Map.MappedBytes,
        Origin = image.Origin == ImageOrigin.Signed ? "signed" : "notProven",
        Targets = [
            .. runs.Select(run => new FlashedTarget
            {
                Target = run.Name,
                Outcome = char.ToLowerInvariant(run.Outcome.ToString()[0]) + run.Outcome.ToString()[1..],
                ExitCode = FlashFault.ExitCodeOf(run.Outcome),
                BytesWritten = run.BytesWritten,
                WriteSeconds = Math.Round(run.WriteTime.TotalSeconds, 3),
                Seconds = Math.Round(run.Elapsed.TotalSeconds, 3),
                Message = run.Fault?.Message,
                Hint = run.Fault?.Hint,
            }),
        ],
    };
}

/// <summary>How it went with one target.</summary>
internal sealed record FlashedTarget
{
    public required string Target { get; init; }

    /// <summary>A <see cref="FlashOutcome"/>, its first letter small.</summary>
    public required string Outcome { get; init; }

    /// <summary>What the command would end with if this were its only target.</summary>
    public required int ExitCode { get; init; }

    public required long BytesWritten { get; init; }

    /// <summary>Until all was written and durable; 0: it did not come so far.</summary>
    public required double WriteSeconds { get; init; }

    /// <summary>From the beginning to the end, with reading back.</summary>
    public required double Seconds { get; init; }

    public string? Message { get; init; }

    public string? Hint { get; init; }
}

/// <summary>What <c>edgevirt flash --list -o json</c> prints of each disk.</summary>
internal sealed record ListedDisk(string Disk, long Bytes, string Bus, string? Model, string? Serial)
{
    public static ListedDisk Of(TargetDisk disk) => new(disk.Path, disk.Bytes, disk.Bus, $"{disk.Vendor} {disk.Model}".Trim() is { Length: > 0 } model ? model : null, disk.Serial);

    public void AddTo(TableView table) => table.Add(Disk, Description.Bytes(Bytes), Bus, Model, Serial);
}
