using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Testing;
using NJsonSchema;

namespace EdgeVirt.Cli.Tests.Commands;

/// <summary>Boards as data: the files of the repository, their schema, and what the command line makes of them.</summary>
public sealed class BoardTests
{
    private static readonly JsonSchema Schema = JsonSchema.FromFileAsync(RepositoryRoot.Combine("boards", "board.schema.json")).GetAwaiter().GetResult();

    private static string[] Names() => [.. Directory.GetDirectories(RepositoryRoot.Combine("boards")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static byte[] FileOf(string board) => File.ReadAllBytes(RepositoryRoot.Combine("boards", board, "board.json"));

    [Test]
    public void All_boards_are_here() => Assert.That(
        Names(), Is.EquivalentTo(new[] { "qemu-arm64", "qemu-x86_64", "generic-arm64-uefi", "generic-x86_64-uefi", "rpi4", "rpi5", "rockpro64", "rk3588" }));

    [TestCaseSource(nameof(Names))]
    public void Fits_the_schema_and_the_record(string name)
    {
        var file = FileOf(name);
        Assert.That(Schema.Validate(System.Text.Encoding.UTF8.GetString(file)).Select(fault => $"{fault.Path}: {fault.Kind}"), Is.Empty);
        var read = BoardDefinitionFile.Read(file);
        Assert.That(read.Faults, Is.Empty);
        Assert.That(read.Value!.Name, Is.EqualTo(name));
        // What the record writes has all that the file has.
        var back = JsonNode.Parse(JsonSerializer.SerializeToUtf8Bytes(read.Value, ContractsJson.Default.BoardDefinition))!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(file)!.AsObject().Where(property => property.Key != "storage"))
        {
            Assert.That(JsonNode.DeepEquals(value, back[key]), Is.True, key);
        }
    }

    [TestCase("name", "\"Rpi4\"", "name")]
    [TestCase("name", "\"_a\"", "name")]
    [TestCase("description", "\"\"", "description")]
    [TestCase("architecture", "\"arm64\"", "architecture")]
    [TestCase("firmware", "\"BIOS\"", "firmware")]
    [TestCase("bootChain", "[]", "bootChain")]
    [TestCase("kernel", "{\"package\": \"linux-image-arm64\"}", "kernel.suite")]
    [TestCase("kernel", "null", "kernel")]
    [TestCase("packages", "[\"a b\"]", "packages[0]")]
    [TestCase("packages", "[\"a\", \"a\"]", "packages")]
    [TestCase("consoles", "[\"/dev/tty1\"]", "consoles[0]")]
    [TestCase("devices", "{\"gpio\": \"gpiochip0\"}", "devices.gpio")]
    [TestCase("watchdog", "{\"driver\": \"bcm2835_wdt\"}", "watchdog.timeoutSeconds")]
    [TestCase("watchdog", "{\"driver\": \"x.ko\", \"timeoutSeconds\": 15}", "watchdog.driver")]
    [TestCase("clusters", "[{\"name\": \"A\", \"cpus\": \"all\"}]", "clusters[0].cpus")]
    [TestCase("storage", "{\"minimumBytes\": 1000, \"media\": [\"SD card\"]}", "storage.minimumBytes")]
    [TestCase("storage", "{\"minimumBytes\": 7400000000, \"media\": []}", "storage.media")]
    [TestCase("statusLed", "\"a/b\"", "statusLed")]
    [TestCase("verified", "[{\"what\": \"boots\", \"how\": \"Tried\"}]", "verified[0].how")]
    [TestCase("verified", "[{\"how\": \"Built\"}]", "verified[0].what")]
    [TestCase("led", "\"ACT\"", "led")]
    public void A_broken_one_fits_neither(string property, string value, string field)
    {
        var board = JsonNode.Parse(FileOf("rpi4"))!.AsObject();
        board[property] = JsonNode.Parse(value);
        var text = board.ToJsonString();
        Assert.That(Schema.Validate(text), Is.Not.Empty, "the schema takes it");
        var read = BoardDefinitionFile.Read(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.That(read.Errors.Select(error => error.Field), Does.Contain(field), read.Faults);
    }

    [Test]
    public void A_processor_belongs_to_one_cluster()
    {
        var board = JsonNode.Parse(FileOf("rpi4"))!.AsObject();
        board["clusters"] = JsonNode.Parse("""[{"name": "A", "cpus": "0-3"}, {"name": "B", "cpus": "3,4"}]""");
        Assert.That(BoardDefinitionFile.Read(System.Text.Encoding.UTF8.GetBytes(board.ToJsonString())).Faults, Does.Contain("has a processor that is there already"));
    }

    [Test]
    public async Task List_shows_what_the_repository_has()
    {
        using var cli = new CliRun();
        var outcome = await cli.RunAsync("board", "list");
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Out.Split('\n')[1..^1].Select(line => line.Split(' ')[0]), Is.EqualTo(Names()));
        Assert.That(outcome.Out, Does.Contain("NAME").And.Contain("arm64").And.Contain("Raspberry Pi"));
        var json = JsonDocument.Parse((await cli.RunAsync("board", "list", "-o", "json")).Out).RootElement.GetProperty("items");
        Assert.That(json.EnumerateArray().Select(board => board.GetProperty("name").GetString()), Is.EqualTo(Names()));
        Assert.That(json[0].GetProperty("architecture").GetString(), Is.EqualTo("Arm64"));
    }

    [Test]
    public async Task Says_how_each_thing_was_verified()
    {
        using var cli = new CliRun();
        using var boards = new TempDirectory();
        var board = JsonNode.Parse(FileOf("rpi4"))!.AsObject();
        board["verified"] = JsonNode.Parse("""[{"what": "boots as far as the network", "how": "BootedInEmulation"}, {"what": "image", "how": "Built"}]""");
        File.WriteAllText(Path.Combine(boards.Subdirectory("rpi4"), "board.json"), board.ToJsonString());
        boards.Subdirectory("empty");
        Assert.That((await cli.RunAsync("board", "list", "--boards", boards.Path)).Out, Does.Contain("built, booted in emulation, on hardware: not yet"));
        var outcome = await cli.RunAsync("board", "describe", "rpi4", "--boards", boards.Path);
        Assert.That((outcome.Code, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Out, Does.Contain("booted in emulation: boots as far as the network").And.Contain("Watchdog:        bcm2835_wdt, 15 s").And.Contain("Missing:"));
    }

    [Test]
    public async Task Bad_input_is_explained()
    {
        using var cli = new CliRun();
        var unknown = await cli.RunAsync("board", "describe", "rpi9");
        Assert.That((unknown.Code, unknown.Error), Is.EqualTo((ExitCodes.NotFound, unknown.Error)));
        Assert.That(unknown.Error, Does.Contain("there is no board 'rpi9'").And.Contain("rpi4, rpi5"));
        Assert.That((await cli.RunAsync("board", "list", "--boards", "/nowhere")).Code, Is.EqualTo(ExitCodes.NotFound));
        using var boards = new TempDirectory();
        File.WriteAllBytes(Path.Combine(boards.Subdirectory("other"), "board.json"), FileOf("rpi4"));
        Assert.That((await cli.RunAsync("board", "list", "--boards", boards.Path)).Error, Does.Contain("has the name 'rpi4'"));
        File.WriteAllText(boards.Combine("other", "board.json"), "{\n \"nam\": 1 }");
        Assert.That((await cli.RunAsync("board", "list", "--boards", boards.Path)).Error, Does.Contain("line 2: nam is not a field here; did you mean 'name'?"));
    }
}
