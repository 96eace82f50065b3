namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    // Below it the files of a container that writes much would turn over faster than anybody can follow.
    private const decimal LeastLog = 256 << 10;
    private const decimal MostLog = 1 << 30;
    private const int MostLogFiles = 100;

    private static void Validate(LogsSpec? logs, string path, Validation v)
    {
        if (logs?.MaxSize is { Value: < LeastLog or > MostLog })
        {
            v.Add($"{path}.maxSize", "must be between 256Ki and 1Gi");
        }

        if (logs?.MaxFiles is < 1 or > MostLogFiles)
        {
            v.Add($"{path}.maxFiles", $"must be between 1 and {MostLogFiles}");
        }

        if (logs?.FlushIntervalSeconds is < 10 or > 86_400)
        {
            v.Add($"{path}.flushIntervalSeconds", "must be between 10 and 86400");
        }

        if (logs is { Storage: LogStorage.Disk, FlushIntervalSeconds: not null })
        {
            v.Add($"{path}.flushIntervalSeconds", "is for storage: Memory");
        }
    }
}
