using System.Text;

namespace EdgeVirt.Linux.Tests;

internal sealed class ProcessRunnerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Test]
    public async Task Gives_output_error_and_exit_code()
    {
        var result = await ProcessRunner.RunAsync("sh", ["-c", "cat; echo wrong >&2; exit 3"], Patience, "in"u8.ToArray(), check: false);
        Assert.That(result, Is.EqualTo(new ProcessResult(3, "in", "wrong\n")));
    }

    [Test]
    public async Task A_failure_names_the_command_and_what_it_said()
    {
        var failure = await Assert.ThrowsAsync<ProcessFailedException>(() => ProcessRunner.RunAsync("sh", ["-c", "echo no such thing >&2; exit 4"], Patience));
        Assert.That(failure!.ExitCode, Is.EqualTo(4));
        Assert.That(failure.Message, Does.Contain("sh -c").And.Contain("no such thing"));
    }

    [Test]
    public async Task A_program_that_is_missing_is_a_failure_that_says_so()
    {
        var failure = await Assert.ThrowsAsync<ProcessFailedException>(() => ProcessRunner.RunAsync("edgevirt-no-such-program", [], Patience));
        Assert.That(failure!.Message, Does.Contain("could not be started"));
    }

    [Test]
    public async Task Kills_a_program_and_its_children_at_the_time_limit()
    {
        var file = Path.GetTempFileName();
        try
        {
            var failure = await Assert.ThrowsAsync<ProcessFailedException>(() => ProcessRunner.RunAsync(
                "sh", ["-c", $"sleep 300 & echo $! > {file}; wait"], TimeSpan.FromMilliseconds(500)));
            Assert.That(failure!.Message, Does.Contain("longer than"));
            var child = int.Parse(File.ReadAllText(file));
            Assert.That(() => Processes.Identify(child), Is.Null.After(5000, 20));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public async Task Output_beyond_the_limit_is_cut_and_never_blocks_the_program()
    {
        var result = await ProcessRunner.RunAsync("head", ["-c", "3000000", "/dev/zero"], Patience);
        Assert.That(result.Output, Has.Length.EqualTo(1 << 20));
    }

    [Test]
    public void Cancelling_ends_the_program()
    {
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        Assert.That(() => ProcessRunner.RunAsync("sleep", ["300"], Patience, ct: cancel.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_process_in_the_background_reports_through_the_pipe_and_lives_on()
    {
        var said = DetachedProcess.Start(
            "/bin/sh", ["-c", "sleep 300 3>&- & echo $WORD $! >&3"], new Dictionary<string, string> { ["WORD"] = "hello" }, Patience);
        Assert.That(said, Does.StartWith("hello "));
        var child = Processes.Identify(int.Parse(said.AsSpan(6)));
        Assert.That(child, Is.Not.Null);
        Assert.That(Processes.Signal(child!, 9), Is.True);
    }

    [Test]
    public void A_background_process_that_fails_says_how()
    {
        var failure = Assert.Throws<ProcessFailedException>(() => DetachedProcess.Start(
            "/bin/sh", ["-c", "echo it broke >&3; exit 7"], new Dictionary<string, string>(), Patience));
        Assert.That(failure!.ExitCode, Is.EqualTo(7));
        Assert.That(failure.Message, Does.Contain("it broke"));
    }

    [Test]
    public void A_process_is_told_from_a_later_one_with_its_id()
    {
        var self = Processes.Identify(Environment.ProcessId);
        Assert.That(self, Is.Not.Null);
        Assert.That(Processes.IsAlive(self!), Is.True);
        Assert.That(Processes.IsAlive(self! with { StartTime = self.StartTime - 1 }), Is.False);
        Assert.That(Processes.StartTimeOf("12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"), Is.EqualTo(4711));
        Assert.That(Processes.StartTimeOf("12 (a) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"), Is.Null);
    }

    [Test]
    public void A_durable_file_is_replaced_whole_with_its_mode()
    {
        var directory = Directory.CreateTempSubdirectory("edgevirt-");
        try
        {
            var path = Path.Combine(directory.FullName, "file");
            DurableFile.Write(path, "one"u8, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.WriteAllText(path + ".tmp", "left by a crash");
            DurableFile.Write(path, "two"u8, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            Assert.That(File.ReadAllText(path, Encoding.UTF8), Is.EqualTo("two"));
            Assert.That(File.GetUnixFileMode(path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead));
            Assert.That(directory.GetFiles(), Has.Length.EqualTo(1));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
