using System.Text.RegularExpressions;

namespace EdgeVirt.Node;

/// <summary>What it costs to use one of the board's links to the outside, in the operator's own measure.</summary>
internal sealed partial record UplinkOptions
{
    public const int MaxCost = 255;

    /// <summary>The network interface, <c>wwan0</c>, or the start of its name and a star, <c>wwan*</c>.</summary>
    public required string Interface { get; init; }

    /// <summary>0, which costs nothing, to 255.</summary>
    public required int Cost { get; init; }

    /// <summary>Whether it speaks of an interface.</summary>
    public bool Names(string networkInterface) => Interface.EndsWith('*')
        ? networkInterface.StartsWith(Interface[..^1], StringComparison.Ordinal)
        : networkInterface == Interface;

    /// <summary>What is wrong with the entries of the options file.</summary>
    public static IEnumerable<string> Faults(IReadOnlyList<UplinkOptions> uplinks)
    {
        for (var i = 0; i < uplinks.Count; i++)
        {
            if (!InterfaceName().IsMatch(uplinks[i].Interface))
            {
                yield return $"uplinks[{i}].interface '{uplinks[i].Interface}' must be the name of a network interface, or its start and '*'";
            }

            if (uplinks[i].Cost is < 0 or > MaxCost)
            {
                yield return $"uplinks[{i}].cost must be between 0 and {MaxCost}";
            }
        }
    }

    // The kernel takes 15 characters.
    [GeneratedRegex(@"^[A-Za-z0-9_.:-]{1,15}\z|^[A-Za-z0-9_.:-]{0,14}\*\z")]
    private static partial Regex InterfaceName();
}
