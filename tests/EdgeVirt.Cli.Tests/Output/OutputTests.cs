using System.Globalization;
using System.Text.Json;
using CsCheck;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Tests.Output;

public sealed class OutputTests
{
    private static readonly string[] Words = ["true", "null", "~", "0x1f", "1e3", "yes", "2026-11-22", "-", "?", "a\n", "\na", "  a\n b"];

    [Test]
    public void Yaml_reads_back_as_what_was_written() =>
        Gen.OneOf(Gen.String[Gen.Char["ab: #'\"\\\n\t-|>&*!%@`{}[],0.~é€"], 0, 20], Gen.Int[0, Words.Length - 1].Select(i => Words[i])).Sample(text =>
        {
            var config = new Resource
            {
                Kind = "Config",
                Metadata = new Metadata { Name = "c" },
                Spec = JsonSerializer.SerializeToElement(new ConfigSpec { Data = new Dictionary<string, string> { ["k"] = text } }, ContractsJson.Default.ConfigSpec),
            };
            using var output = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
            JsonOutput.Write(output, OutputFormat.Yaml, config, ContractsJson.Default.Resource);
            var read = Manifest.Parse(output.ToString());
            return read.IsValid && read.Resources[0].SpecOf<ConfigSpec>().Data["k"] == text;
        }, iter: 5000, print: text => JsonSerializer.Serialize(text));

    [TestCase(0, "0s")]
    [TestCase(59, "59s")]
    [TestCase(200, "3m20s")]
    [TestCase(180, "3m")]
    [TestCase(3_720, "1h2m")]
    [TestCase(441_000, "5d2h")]
    public void Durations_are_short(int seconds, string expected)
    {
        Assert.That(Durations.Format(TimeSpan.FromSeconds(seconds)), Is.EqualTo(expected));
        Assert.That(Durations.TryParse(expected, out var read), Is.True);
        Assert.That(Durations.Format(read), Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase("5")]
    [TestCase("m")]
    [TestCase("5x")]
    [TestCase("1h3")]
    [TestCase("-5m")]
    public void A_duration_that_is_none_is_refused(string text) => Assert.That(Durations.TryParse(text, out _), Is.EqualTo(text == "5"));

    [Test]
    public void Text_from_elsewhere_cannot_steer_the_terminal() => Assert.That(Plain.Line("a\e[31mb\nc\u009bd"), Is.EqualTo("a [31mb c d"));

    [Test]
    public void A_file_with_directives_can_be_joined()
    {
        var sources = new EdgeVirt.Cli.Manifests.ManifestSources(
        [
            new("a", Text("one")), new("b", "%YAML 1.2\n---\n" + Text("two")), new("c", "---\n" + Text("three") + "..."),
        ]);
        Assert.That(sources.Check(out var result), Is.Empty);
        Assert.That(result.Resources.Select(resource => resource.Metadata.Name), Is.EqualTo(new[] { "one", "two", "three" }));
    }

    private static string Text(string name) => $"apiVersion: edgevirt.io/v1\nkind: Config\nmetadata: {{name: {name}}}\nspec: {{data: {{}}}}\n";
}
