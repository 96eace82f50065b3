using EdgeVirt.Contracts.Resources;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace EdgeVirt.Contracts.Manifests;

/// <summary>
/// YAML (and so JSON) text to a tree that knows its lines. Depth and size are bounded, aliases with what they stand for, so that
/// a small text cannot become a large tree; manifests have no aliases at all.
/// </summary>
internal static class ManifestReader
{
    private const int MaxDepth = 64;
    private const int MaxNodes = 200_000;

    /// <summary>The documents of a text; faults go to <paramref name="faults"/>.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="faults">Takes what is wrong.</param>
    /// <param name="aliases">Whether <c>*name</c> stands for what <c>&amp;name</c> marks, and <c>&lt;&lt;</c> merges mappings.</param>
    public static List<ManifestNode> Read(string text, Validation faults, bool aliases = false)
    {
        var anchors = aliases ? new Dictionary<string, Anchored>() : null;
        var documents = new List<ManifestNode>();
        var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
        var budget = MaxNodes;
        try
        {
            parser.Consume<StreamStart>();
            while (!parser.TryConsume<StreamEnd>(out _))
            {
                parser.Consume<DocumentStart>();
                var node = ReadNode(parser, depth: 0, ref budget, faults, anchors);
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

    private static ManifestNode ReadNode(Parser parser, int depth, ref int budget, Validation faults, Dictionary<string, Anchored>? anchors)
    {
        var current = parser.Current ?? throw new YamlException("the text ends too early");
        var line = (int)current.Start.Line;
        if (depth > MaxDepth)
        {
            throw new YamlException(current.Start, current.End, $"nested deeper than {MaxDepth} levels");
        }

        var before = budget;
        if (--budget < 0)
        {
            throw new YamlException(current.Start, current.End, $"more than {MaxNodes} values");
        }

        if (parser.TryConsume<AnchorAlias>(out var alias))
        {
            return Recall(alias, depth, ref budget, anchors);
        }

        ManifestNode node;
        if (parser.TryConsume<Scalar>(out var scalar))
        {
            node = new ManifestScalar(line, scalar.Value, scalar.Style == ScalarStyle.Plain && scalar.Tag.IsEmpty);
        }
        else if (parser.TryConsume<SequenceStart>(out _))
        {
            var items = new List<ManifestNode>();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(ReadNode(parser, depth + 1, ref budget, faults, anchors));
            }

            node = new ManifestSequence(line, items);
        }
        else
        {
            parser.Consume<MappingStart>();
            node = ReadMapping(parser, line, depth, ref budget, faults, anchors);
        }

        if (anchors is not null && current is NodeEvent { Anchor: { IsEmpty: false } anchor })
        {
            anchors[anchor.Value] = new Anchored(node, before - budget, HeightOf(node));
        }

        return node;
    }

    private static ManifestNode Recall(AnchorAlias alias, int depth, ref int budget, Dictionary<string, Anchored>? anchors)
    {
        if (anchors is null)
        {
            throw new YamlException(alias.Start, alias.End, "aliases (*name) are not supported; write the value out");
        }

        if (!anchors.TryGetValue(alias.Value.Value, out var found))
        {
            throw new YamlException(alias.Start, alias.End, $"there is no &{alias.Value.Value} before this *{alias.Value.Value}");
        }

        budget -= found.Size;
        return budget >= 0 && depth + found.Height <= MaxDepth
            ? found.Node
            : throw new YamlException(alias.Start, alias.End, $"with its aliases written out it has more than {MaxNodes} values or {MaxDepth} levels");
    }

    private static ManifestMapping ReadMapping(Parser parser, int line, int depth, ref int budget, Validation faults, Dictionary<string, Anchored>? anchors)
    {
        var entries = new List<ManifestEntry>();
        var keys = new HashSet<string>();
        var merged = new List<ManifestNode>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            var key = parser.Consume<Scalar>();
            var value = ReadNode(parser, depth + 1, ref budget, faults, anchors);
            if (anchors is not null && key is { Value: "<<", Style: ScalarStyle.Plain })
            {
                merged.AddRange(value is ManifestSequence list ? list.Items : [value]);
            }
            else if (keys.Add(key.Value))
            {
                entries.Add(new ManifestEntry(key.Value, (int)key.Start.Line, value));
            }
            else
            {
                faults.Add((int)key.Start.Line, key.Value, "is there twice in the same place; remove one");
            }
        }

        // What is said here wins over what is merged, and what is merged first over the rest.
        foreach (var source in merged)
        {
            if (source is not ManifestMapping mapping)
            {
                faults.Add(source.Line, "<<", "merges mappings, and this is none");
                continue;
            }

            entries.AddRange(mapping.Entries.Where(entry => keys.Add(entry.Key)));
        }

        return new ManifestMapping(line, entries);
    }

    private static int HeightOf(ManifestNode node) => node switch
    {
        ManifestMapping mapping => 1 + mapping.Entries.Select(entry => HeightOf(entry.Value)).DefaultIfEmpty().Max(),
        ManifestSequence sequence => 1 + sequence.Items.Select(HeightOf).DefaultIfEmpty().Max(),
        _ => 1,
    };

    /// <param name="Node">What the anchor marks.</param>
    /// <param name="Size">Of how many values it is, aliases written out.</param>
    /// <param name="Height">How deep.</param>
    private sealed record Anchored(ManifestNode Node, int Size, int Height);
}
