using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace EdgeVirt.Contracts.Tests;

/// <summary>Holds the shape that ARCHITECTURE.md describes. It reads the sources as text, so it is fast and sees every project.</summary>
public sealed partial class ArchitectureTests
{
    private const int MaxFileLines = 400;
    private const int MaxConstructorParameters = 6;

    private static readonly string Root = FindRoot();
    private static readonly IReadOnlyList<SourceFile> Sources = ReadSources();

    [TestCase("EdgeVirt.Contracts", "")]
    [TestCase("EdgeVirt.Linux", "EdgeVirt.Contracts")]
    [TestCase("EdgeVirt.Node", "EdgeVirt.Contracts EdgeVirt.Linux")]
    [TestCase("EdgeVirt.Cli", "EdgeVirt.Contracts EdgeVirt.Linux")]
    [TestCase("EdgeVirt.Hub", "EdgeVirt.Contracts")]
    public void A_project_depends_only_on_what_lies_below_it(string project, string allowed)
    {
        var file = XDocument.Load(Path.Combine(Root, "src", project, $"{project}.csproj"));
        var references = file.Descendants("ProjectReference").Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));
        Assert.That(references, Is.SubsetOf(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Test]
    public void Reconcilers_never_touch_the_hub()
    {
        string[] folders = ["Containers", "Networks", "VirtualMachines", "Updates", "State", "Reconcile"];
        var guilty = In("EdgeVirt.Node")
            .Where(file => folders.Contains(file.Folder) && file.Code.Contains("EdgeVirt.Node.Hub", StringComparison.Ordinal))
            .Select(file => file.Path);
        Assert.That(guilty, Is.Empty, "Inside the node a reconciler knows State, Reconcile, Linux and its own folder.");
    }

    [Test]
    public void Only_the_Linux_project_calls_into_the_system() =>
        Assert.That(Sources.Where(file => file.Project != "EdgeVirt.Linux" && Interop().IsMatch(file.Code)).Select(file => file.Path), Is.Empty);

    [Test]
    public void LiteDB_has_one_door() =>
        Assert.That(
            Sources.Where(file => file.Code.Contains("using LiteDB", StringComparison.Ordinal) && file is not { Project: "EdgeVirt.Node", Folder: "State" })
                .Select(file => file.Path),
            Is.Empty);

    [Test]
    public void No_file_outgrows_its_reader() =>
        Assert.That(Sources.Where(file => file.Lines > MaxFileLines).Select(file => $"{file.Path}: {file.Lines} lines"), Is.Empty);

    [Test]
    public void No_constructor_wants_more_than_six_things()
    {
        var guilty =
            from file in Sources
            from Match match in Constructor().Matches(file.Code)
            let parameters = CountParameters(match.Groups["list"].Value)
            where parameters > MaxConstructorParameters
            select $"{file.Path}: {match.Groups["name"].Value} takes {parameters}";
        Assert.That(guilty, Is.Empty);
    }

    [Test]
    public void Names_say_what_a_thing_is()
    {
        var guilty =
            from file in Sources
            from Match match in TypeName().Matches(file.Code)
            where EmptySuffix().IsMatch(match.Groups["name"].Value)
            select $"{file.Path}: {match.Groups["name"].Value}";
        Assert.That(guilty, Is.Empty, "Manager, Helper, Util, Processor, Info and Wrapper say nothing.");
    }

    [Test]
    public void Boards_are_data() =>
        Assert.That(Sources.Where(file => BoardBranch().IsMatch(file.Code)).Select(file => file.Path), Is.Empty);

    private static IEnumerable<SourceFile> In(string project) => Sources.Where(file => file.Project == project);

    private static int CountParameters(string list)
    {
        var depth = 0;
        var count = string.IsNullOrWhiteSpace(list) ? 0 : 1;
        foreach (var c in list)
        {
            depth += c is '<' or '(' or '[' ? 1 : c is '>' or ')' or ']' ? -1 : 0;
            count += c == ',' && depth == 0 ? 1 : 0;
        }

        return count;
    }

    private static List<SourceFile> ReadSources()
    {
        var source = Path.Combine(Root, "src");
        return [.. Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(source, path))
            .Where(path => !path.Split('/').Any(part => part is "obj" or "bin"))
            .Select(path => new SourceFile(path, File.ReadAllText(Path.Combine(source, path))))];
    }

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "EdgeVirt.sln")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException("EdgeVirt.sln is not above the test's folder.");
    }

    [GeneratedRegex(@"\[(LibraryImport|DllImport)\b")]
    private static partial Regex Interop();

    [GeneratedRegex(@"\bclass\s+(?<name>\w+)(<[^>]*>)?\((?<list>[^{;]*?)\)\s*(:|\{|;|where)", RegexOptions.Singleline)]
    private static partial Regex Constructor();

    [GeneratedRegex(@"\b(class|struct|interface|record|enum)\s+(?!struct\b|class\b)(?<name>[A-Z]\w*)")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"(Manager|Helpers?|Utils?|Utilit(y|ies)|Processor|Info|Wrapper)$")]
    private static partial Regex EmptySuffix();

    [GeneratedRegex(@"[Bb]oard\w*\s*==\s*""")]
    private static partial Regex BoardBranch();

    private sealed record SourceFile(string Path, string Code)
    {
        public string Project => Path.Split('/')[0];

        public string Folder => Path.Split('/') is { Length: > 2 } parts ? parts[1] : "";

        public int Lines => Code.AsSpan().Count('\n');
    }
}
