using System.Globalization;
using EdgeVirt.Hub.Tests.Telemetry;

namespace EdgeVirt.Hub.Tests;

/// <summary>Entry point for tests that need a child process of this assembly, to kill it. The test runner does not come by here.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => args switch
    {
        [TelemetryKillTests.ChildVerb, var directory, var first] => TelemetryKillTests.RunChildAsync(directory, ulong.Parse(first, CultureInfo.InvariantCulture)),
        _ => Task.FromResult(2),
    };
}
