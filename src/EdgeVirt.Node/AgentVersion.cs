using System.Reflection;

namespace EdgeVirt.Node;

internal static class AgentVersion
{
    /// <summary>Version of this build, with the commit it was made of.</summary>
    public static string Text { get; } =
        typeof(AgentVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
}
