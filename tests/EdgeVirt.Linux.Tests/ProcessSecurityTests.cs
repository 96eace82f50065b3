using System.Diagnostics;

namespace EdgeVirt.Linux.Tests;

public sealed class ProcessSecurityTests
{
    [TestCase("Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\n", 0xa80425fbUL)]
    [TestCase("CapEff:\tnonsense\n", 0UL)]
    [TestCase("", 0UL)]
    public void Capabilities_are_read_from_the_effective_set(string status, ulong bits) =>
        Assert.That(ProcessSecurity.CapabilitiesIn(status.Split('\n')), Is.EqualTo(bits));

    [Test]
    public void Processes_of_a_session_are_told_from_others()
    {
        using var leader = Process.Start(new ProcessStartInfo("setsid", ["sleep", "60"]))!;
        try
        {
            Assert.That(() => Processes.InSession(leader.Id, [leader.Id, Environment.ProcessId, int.MaxValue]).Select(process => process.Pid), Is.EqualTo([leader.Id]).After(5000, 20));
        }
        finally
        {
            leader.Kill();
            leader.WaitForExit();
        }
    }
}
