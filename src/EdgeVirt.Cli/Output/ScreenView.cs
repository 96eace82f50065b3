using EdgeVirt.Cli.Local;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Output;

/// <summary>All that the screen of a board shows.</summary>
/// <param name="Now">The time.</param>
/// <param name="Machine">What it says without its agent.</param>
/// <param name="Node">What its agent says; null: it does not answer.</param>
/// <param name="AgentProblem">Why it does not, and what to do: a line each.</param>
internal sealed record ScreenContent(DateTimeOffset Now, MachineFacts Machine, LocalSummary? Node, IReadOnlyList<string> AgentProblem);

/// <summary>Lays out the screen of a board.</summary>
internal static class ScreenView
{
    private const int NameWidth = 11;
    private const int FewestInstances = 3;

    /// <summary>The lines, at most <paramref name="rows"/> of them where instances can be left out for it.</summary>
    public static IReadOnlyList<ScreenLine> Lines(ScreenContent content, int rows)
    {
        List<ScreenLine> head = [.. Head(content)];
        List<ScreenLine> tail = [.. Tail(content)];
        var room = rows == int.MaxValue ? int.MaxValue : Math.Max(FewestInstances * 2, rows - head.Count - tail.Count);
        return content.Node is { } node ? [.. head, .. Instances(node, room), .. tail] : [.. head, .. tail];
    }

    private static IEnumerable<ScreenLine> Head(ScreenContent content)
    {
        var (machine, node) = (content.Machine, content.Node);
        yield return new ScreenLine()
            .Add($"EdgeVirt  {node?.Node ?? machine.Host}", Tone.Faint)
            .Add($"   {Durations.Absolute(content.Now)}   up {Durations.Format(machine.UpTime)}");
        yield return Field("Board", Joined(node?.Status.Board ?? machine.Board ?? "unknown", Part("serial", node?.Status.SerialNumber ?? machine.SerialNumber)));
        yield return machine.Image.Id is { } id
            ? Field("Image", Joined(id, machine.Image.Version, machine.Image.Variant, Part("slot", machine.Image.Slot)))
            : Field("System", machine.OperatingSystem ?? "unknown");
        foreach (var line in Network(machine))
        {
            yield return line;
        }

        foreach (var line in node is null ? NoAgent(content.AgentProblem) : Hub(node, content.Now))
        {
            yield return line;
        }
    }

    private static IEnumerable<ScreenLine> Network(MachineFacts machine)
    {
        if (machine.Links.Count == 0)
        {
            yield return Field("Network", "no interface", Tone.Bad);
        }

        var name = "Network";
        foreach (var link in machine.Links)
        {
            var state = link.Addresses.Count > 0 ? string.Join(", ", link.Addresses) : link.IsUp ? "no address" : "no link";
            yield return Field(name, $"{link.Name,-10} {state}", link.Addresses.Count > 0 ? Tone.Normal : Tone.Warning);
            name = "";
        }

        yield return machine.Links.FirstOrDefault(link => link.IsUplink) is { } uplink
            ? Field("Uplink", uplink.Name)
            : Field("Uplink", "none: no interface has a default route", Tone.Bad);
    }

    private static IEnumerable<ScreenLine> NoAgent(IReadOnlyList<string> problem)
    {
        var name = "Agent";
        foreach (var line in problem)
        {
            yield return Field(name, line, Tone.Bad);
            name = "";
        }
    }

    private static IEnumerable<ScreenLine> Hub(LocalSummary node, DateTimeOffset now)
    {
        if (node.Hub is null)
        {
            yield return Field("Hub", "none: this board is not enrolled", Tone.Warning);
        }
        else
        {
            yield return Field("Hub", node.Hub);
            yield return node.HubConnectedSince is { } since
                ? Field("", $"connected since {Durations.Absolute(since)} ({Durations.Format(now - since)})", Tone.Good)
                : Field("", $"not connected{(node.HubProblem is { } problem ? $": {problem}" : " yet")}", Tone.Warning);
        }

        yield return Field("Agent", $"{node.Status.AgentVersion}, desired revision {node.Status.DesiredRevision}");
    }

    private static IEnumerable<ScreenLine> Instances(LocalSummary node, int room)
    {
        // Machines get what they need, up to a half, and what workloads leave.
        var forMachines = node.VirtualMachines.Count == 0 ? 0 : Math.Min(node.VirtualMachines.Count + 1, room / 2);
        List<ScreenLine> workloads = [.. Section("Workloads", node.Workloads, Math.Max(FewestInstances, room - forMachines))];
        return node.VirtualMachines.Count == 0 ? workloads : workloads.Concat(Section("Machines", node.VirtualMachines, Math.Max(FewestInstances, room - workloads.Count)));
    }

    private static IEnumerable<ScreenLine> Section(string title, IReadOnlyList<LocalInstance> instances, int room)
    {
        var ready = instances.Count(one => one.IsReady);
        yield return Field(title, instances.Count == 0 ? "none" : $"{ready} of {instances.Count} ready", ready == instances.Count ? Tone.Normal : Tone.Warning);
        var shown = room > instances.Count ? instances.Count : room - 2;
        foreach (var one in instances.OrderBy(one => one.IsReady).Take(shown))
        {
            var restarts = one.Restarts > 0 ? $"  restarts {one.Restarts}" : "";
            yield return new ScreenLine()
                .Add($"  {one.Name,-28} ")
                .Add(one.State.Length > 0 ? one.State : "unknown", one.IsReady ? Tone.Good : Tone.Bad)
                .Add($"{restarts}{(one.Message is { } message ? $"  {message}" : "")}");
        }

        if (shown < instances.Count)
        {
            yield return new ScreenLine().Add($"  and {instances.Count - shown} more: edgevirt screen --once shows all");
        }
    }

    private static IEnumerable<ScreenLine> Tail(ScreenContent content)
    {
        foreach (var one in content.Node?.Status.Conditions.Where(IsProblem) ?? [])
        {
            yield return Field("Problem", $"{one.Type} {one.Status}, {one.Reason}{(one.Message is { } message ? $": {message}" : "")}", Tone.Warning);
        }

        if (content.Node?.LastError is { } error)
        {
            yield return Field("Last error", $"{Durations.Absolute(error.At)} {error.Source}: {error.Message}", Tone.Bad);
        }
    }

    // Of most conditions True is good; these two are there only when something is.
    private static bool IsProblem(Condition condition) => condition.Type is ConditionTypes.DiskPressure or ConditionTypes.FactoryReset
        ? condition.Status == ConditionStatus.True
        : condition.Status == ConditionStatus.False && condition.Type != ConditionTypes.RunsVirtualMachines;

    private static ScreenLine Field(string name, string value, Tone tone = Tone.Normal) => new ScreenLine().Add(name.PadRight(NameWidth)).Add(value, tone);

    private static string? Part(string name, string? value) => string.IsNullOrEmpty(value) ? null : $"{name} {value}";

    private static string Joined(params string?[] parts) => string.Join(", ", parts.Where(part => !string.IsNullOrEmpty(part)));
}
