using System.Globalization;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Hub.Scheduling;

/// <summary>A port of a node that something publishes, written <c>8080/TCP</c> or <c>127.0.0.1:8080/TCP</c>.</summary>
/// <param name="Number">Of the port.</param>
/// <param name="Protocol">Its protocol.</param>
/// <param name="Address">Which of the node's addresses; null: all.</param>
internal readonly record struct HostPort(int Number, PortProtocol Protocol, string? Address = null)
{
    /// <summary>
    /// What a template publishes. With hostNetwork every port that is listed is the node's own, as in Kubernetes, where
    /// hostPort then defaults to containerPort.
    /// </summary>
    public static IReadOnlySet<HostPort> Of(PodSpec pod) => pod.Containers
        .SelectMany(container => container.Ports ?? [])
        .Where(port => pod.HostNetwork || port.HostPort is not null)
        .Select(port => new HostPort(port.HostPort ?? port.Port, port.Protocol, port.HostAddress()))
        .ToHashSet();

    /// <summary>What the cards of a virtual machine publish.</summary>
    public static IReadOnlySet<HostPort> Of(VirtualMachineSpec machine) => (machine.Interfaces ?? [])
        .SelectMany(card => card.Ports ?? [])
        .Where(port => port.HostPort is not null)
        .Select(port => new HostPort(port.HostPort!.Value, port.Protocol, port.HostAddress()))
        .ToHashSet();

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static HostPort Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return new HostPort(
            int.Parse(text.AsSpan(colon + 1, slash - colon - 1), CultureInfo.InvariantCulture),
            Enum.Parse<PortProtocol>(text.AsSpan(slash + 1)),
            colon < 0 ? null : text[..colon]);
    }

    /// <summary>Whether a node can give only one of the two.</summary>
    public bool Excludes(HostPort other) =>
        Number == other.Number && Protocol == other.Protocol && (Address is null || other.Address is null || Address == other.Address);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Address is null ? "" : Address + ":")}{Number}/{Protocol}");
}
