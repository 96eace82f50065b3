using EdgeVirt.Contracts.Resources;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace EdgeVirt.Contracts.Manifests;

/// <summary>
/// YAML (and so JSON) text to a tree that knows its lines. Depth and size are bounded and aliases are
/// refused, so that a small text cannot become a large tree.
/// </summary>
internal static class ManifestReader
{
    private const int MaxDepth = 64;
    private const int MaxNodes = 200_000;

    /// <summary>The documents of a text; faults go to <paramref name="faults"/>.</summary>
    public static List<ManifestNode> Read(string text, Validation faults)
    {
        var documents = new List<ManifestNode>();
        var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
        var budget = MaxNodes;
        try
        {
            parser.Consume<StreamStart>();
            while (!parser.TryConsume<StreamEnd>(out _))
            {
                parser.Consume<DocumentStart>();
                var node = ReadNode(parser, depth: 0, ref budget, faults);
                parser.Consume<DocumentEnd>();
                if (node is not ManifestScalar { IsNull: true })
                {
                    documents.Add(node);
                }
            }
        }
        catch (YamlException fault)
        {
            faults.Add((int)fault.Start.Line, "", $"cannot be read as YAML: {fault.Message}");
        }

        return documents;
    }

    private static ManifestNode ReadNode(Parser parser, int depth, ref int budget, Validation faults)
    {
        var current = parser.Current ?? throw new YamlException("the text ends too early");
        var line = (int)current.Start.Line;
        if (depth > MaxDepth)
        {
            throw new YamlException(current.Start, current.End, $"nested deeper than {MaxDepth} levels");
        }

        if (--budget < 0)
        {
            throw new YamlException(current.Start, current.End, $"more than {MaxNodes} values");
        }

        if (parser.TryConsume<Scalar>(out var scalar))
        {
            return new ManifestScalar(line, scalar.Value, scalar.Style == ScalarStyle.Plain && scalar.Tag.IsEmpty);
        }

        if (parser.TryConsume<SequenceStart>(out _))
        {
            var items = new List<ManifestNode>();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(ReadNode(parser, depth + 1, ref budget, faults));
            }

            return new ManifestSequence(line, items);
        }

        if (parser.TryConsume<MappingStart>(out _))
        {
            return ReadMapping(parser, line, depth, ref budget, faults);
        }

        throw new YamlException(current.Start, current.End, "aliases (*name) are not supported; write the value out");
    }

    private static ManifestMapping ReadMapping(Parser parser, int line, int depth, ref int budget, Validation faults)
    {
        var entries = new List<ManifestEntry>();
        var keys = new HashSet<string>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            var key = parser.Consume<Scalar>();
            var value = ReadNode(parser, depth + 1, ref budget, faults);
            if (keys.Add(key.Value))
            {
                entries.Add(new ManifestEntry(key.Value, (int)key.Start.Line, value));
            }
            else
            {
                faults.Add((int)key.Start.Line, key.Value, "is there twice in the same place; remove one");
            }
        }

        return new ManifestMapping(line, entries);
    }
}
