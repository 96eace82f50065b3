using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Tests.Containers.Bundles;

/// <summary>What the engine writes for an OCI runtime is what the runtime specification's own schema wants, whatever a workload asks for.</summary>
internal sealed class BundleSchemaTests
{
    private static readonly BundleSchema Schema = new();
    private BundleCases cases = null!;

    [SetUp]
    public void SetUp() => cases = new BundleCases();

    [TearDown]
    public void TearDown() => cases.Dispose();

    [TestCaseSource(typeof(BundleCases), nameof(BundleCases.Names))]
    public void A_bundle_is_what_the_specifications_schema_wants(string name) => Assert.That(Schema.Faults(cases.Config(name)), Is.Empty);

    [Test]
    public void Every_field_that_the_engine_can_write_is_in_one_of_the_cases()
    {
        var seen = BundleCases.Names.SelectMany(name => PathsIn(JsonNode.Parse(cases.Config(name)), "")).ToHashSet();
        var known = PathsOf(RuntimeSpecJson.Default.RuntimeSpec, "").ToList();
        Assert.That(known, Has.Count.GreaterThan(70));
        Assert.That(known.Where(path => !seen.Contains(path)), Is.Empty, "add a case to BundleCases that has it");
    }

    [TestCase("linux/resources/memory/limit", "\"64Mi\"", "IntegerExpected")]
    [TestCase("linux/resources/memory/limits", "5", "NoAdditionalPropertiesAllowed")]
    [TestCase("linux/resources/hugepageLimits/0/pageSize", "\"2MiB\"", "PatternMismatch")]
    [TestCase("linux/resources/cpu/shares", "-1", "NumberTooSmall")]
    [TestCase("linux/seccomp/defaultAction", "\"DENY\"", "NotInEnumeration")]
    [TestCase("linux/seccomp/syscalls/0/names", "[]", "TooFewItems")]
    [TestCase("linux/namespaces/0/type", "\"process\"", "NotInEnumeration")]
    [TestCase("linux/devices/0/type", "null", "StringExpected")]
    [TestCase("linux/devices/0/fileMode", "25008", "NumberTooBig")]
    [TestCase("linux/maskedPaths", "{}", "ArrayExpected")]
    [TestCase("process/capabilities/bounding", "\"CAP_CHOWN\"", "ArrayExpected")]
    [TestCase("process/rlimits/0/type", "\"rtprio\"", "PatternMismatch")]
    [TestCase("process/apparmorprofile", "\"web\"", "NoAdditionalPropertiesAllowed")]
    [TestCase("mounts/0/destination", null, "PropertyRequired")]
    [TestCase("process/cwd", null, "PropertyRequired")]
    [TestCase("ociVersion", null, "PropertyRequired")]
    [TestCase("annotations/io.edgevirt.uid", "5", "StringExpected")]
    public void A_broken_bundle_is_found(string path, string? value, string kind)
    {
        var config = JsonNode.Parse(cases.Config("everything, version 2"))!;
        var parts = path.Split('/');
        var holder = parts[..^1].Aggregate((JsonNode)config, (at, part) => (int.TryParse(part, out var index) ? at[index] : at[part])!);
        holder.AsObject().Remove(parts[^1]);
        if (value is not null)
        {
            holder[parts[^1]] = JsonNode.Parse(value);
        }

        Assert.That(Schema.Faults(config.ToJsonString()), Has.Some.Contains(kind));
    }

    private static IEnumerable<string> PathsIn(JsonNode? node, string path) => node switch
    {
        JsonObject known => known.SelectMany(pair => PathsIn(pair.Value, $"{path}/{pair.Key}").Prepend($"{path}/{pair.Key}")),
        JsonArray array => array.SelectMany(item => PathsIn(item, path)),
        _ => [],
    };

    private static IEnumerable<string> PathsOf(JsonTypeInfo type, string path) => type.Kind switch
    {
        JsonTypeInfoKind.Object => type.Properties.SelectMany(property =>
            PathsOf(type.Options.GetTypeInfo(property.PropertyType), $"{path}/{property.Name}").Prepend($"{path}/{property.Name}")),
        JsonTypeInfoKind.Enumerable => PathsOf(type.Options.GetTypeInfo(type.ElementType!), path),
        _ => [],
    };
}
