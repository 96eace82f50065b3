using System.Globalization;
using System.Text.Json.Nodes;
using EdgeVirt.Testing;

namespace EdgeVirt.Benchmarks;

/// <summary>What a bench measured. Names carry their unit; <c>ratio_</c> is ours ÷ the other's (smaller is better), <c>speedup_</c> the other's ÷ ours.</summary>
internal sealed class BenchResult(string bench, params IReadOnlyList<(string Key, double Value)> figures)
{
    /// <summary>Writes the figures as JSON under <c>artifacts/bench/</c> and prints them as the last line.</summary>
    public void Publish()
    {
        var directory = Directory.CreateDirectory(RepositoryRoot.Combine("artifacts", "bench"));
        var json = new JsonObject(figures.Select(figure => KeyValuePair.Create<string, JsonNode?>(figure.Key, Rounded(figure.Value))));
        File.WriteAllText(Path.Combine(directory.FullName, $"{bench}.json"), json.ToJsonString() + "\n");
        Console.WriteLine($"bench {bench} " + string.Join(' ', figures.Select(figure => $"{figure.Key}={Text(figure.Value)}")));
    }

    private static string Text(double value) => Rounded(value).ToString(CultureInfo.InvariantCulture);

    private static double Rounded(double value) => Math.Round(value, Math.Abs(value) >= 100 ? 0 : Math.Abs(value) >= 10 ? 1 : Math.Abs(value) >= 0.1 ? 2 : 4);
}
