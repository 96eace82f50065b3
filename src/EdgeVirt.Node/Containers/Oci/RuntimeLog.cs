using System.Text.Json;

namespace EdgeVirt.Node.Containers.Oci;

/// <summary>What the OCI runtime wrote to its own log, a line of JSON each.</summary>
internal static class RuntimeLog
{
    /// <summary>The last error in it; null: there is none.</summary>
    public static string? FailureIn(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        string? failure = null;
        foreach (var line in File.ReadLines(path))
        {
            try
            {
                if (JsonSerializer.Deserialize(line, RuntimeSpecJson.Default.RuntimeLogLine) is { Level: "error", Msg: { } message })
                {
                    failure = message;
                }
            }
            catch (JsonException)
            {
                // A line that was cut short; the others say enough.
            }
        }

        return failure;
    }
}
