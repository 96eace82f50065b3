namespace EdgeVirt.Linux.Tests;

public sealed class ProcessMemoryTests
{
    [Test]
    public void Only_read_only_files_without_own_pages_are_given_back()
    {
        string[] smaps =
        [
            "1000-3000 r-xp 00000000 fe:00 12    /usr/bin/agent with space", "Rss: 8 kB", "Anonymous:             0 kB", "VmFlags: rd ex",
            "3000-4000 r--p 00002000 fe:00 12    /usr/bin/agent", "Anonymous:             4 kB",
            "4000-5000 rw-p 00003000 fe:00 12    /usr/bin/agent", "Anonymous:             0 kB",
            "5000-6000 r--p 00000000 00:00 0 ", "Anonymous:             0 kB",
            "6000-7000 r--p 00000000 00:00 0     [vvar]", "Anonymous:             0 kB",
        ];
        Assert.That(ProcessMemory.CleanMappings(smaps), Is.EqualTo(new (nuint, nuint)[] { (0x1000, 0x2000) }));
    }

    [Test]
    public void A_process_goes_on_after_giving_memory_back()
    {
        ProcessMemory.Release();
        Assert.That(Enumerable.Range(0, 1000).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture)).Distinct().Count(), Is.EqualTo(1000));
    }
}
