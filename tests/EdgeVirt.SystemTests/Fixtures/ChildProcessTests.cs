using EdgeVirt.Testing;

namespace EdgeVirt.SystemTests.Fixtures;

internal sealed class ChildProcessTests
{
    [Test]
    public async Task Ends_with_the_object()
    {
        using var directory = new TempDirectory();
        int pid;
        await using (var child = ChildProcess.Start("sleep", ["600"], directory.Combine("log")))
        {
            pid = child.Id;
            Assert.That(Directory.Exists($"/proc/{pid}"), Is.True);
        }

        Assert.That(Directory.Exists($"/proc/{pid}"), Is.False);
    }

    [Test]
    public async Task Asks_the_kernel_to_be_killed_with_the_test_process()
    {
        using var directory = new TempDirectory();
        var log = directory.Combine("log");
        // A parent that starts a child the same way, says who it is, and is then killed.
        await using var parent = ChildProcess.Start(
            "sh", ["-c", "setpriv --pdeathsig KILL -- sleep 600 & echo $!; wait"], log);
        await parent.WaitUntilAsync("the child's id", () => Task.FromResult(File.ReadAllText(log).Contains('\n')), TimeSpan.FromSeconds(5));
        var child = int.Parse(File.ReadAllText(log).Trim(), System.Globalization.CultureInfo.InvariantCulture);

        await parent.KillAsync();

        await HubApi.WaitForAsync(
            "the child to end", () => Task.FromResult(IsRunning(child)), running => !running, _ => "it runs", TimeSpan.FromSeconds(5));
    }

    [Test]
    public async Task Outlives_the_thread_that_started_it()
    {
        using var directory = new TempDirectory();
        ChildProcess? child = null;
        var thread = new Thread(() => child = ChildProcess.Start("sleep", ["600"], directory.Combine("log")));
        thread.Start();
        thread.Join();
        await using (child)
        {
            await Task.Delay(200);
            Assert.That(child!.HasExited, Is.False);
        }
    }

    [Test]
    public async Task Tells_the_end_of_its_output_when_it_fails()
    {
        using var directory = new TempDirectory();
        await using var child = ChildProcess.Start("sh", ["-c", "echo the reason >&2; exit 3"], directory.Combine("log"));

        await child.WaitAsync(TimeSpan.FromSeconds(5));
        await HubApi.WaitForAsync(
            "the output", () => Task.FromResult(child.LogTail()), tail => tail.Contains("the reason", StringComparison.Ordinal), tail => tail, TimeSpan.FromSeconds(5));

        Assert.That(
            async () => await child.WaitUntilAsync("ready", () => Task.FromResult(false), TimeSpan.FromSeconds(5)),
            Throws.InvalidOperationException.With.Message.Contains("ended with 3").And.Message.Contains("the reason"));
    }

    private static bool IsRunning(int pid) =>
        File.Exists($"/proc/{pid}/stat") && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z", StringComparison.Ordinal);
}
