using System.Text;
using EdgeVirt.Linux.Terminals;

namespace EdgeVirt.Linux.Tests;

public sealed class TerminalTests
{
    private const int LocalFlags = 12;
    private const byte Canonical = 2;
    private const byte Echo = 8;

    [Test]
    public async Task A_program_on_pipes_has_output_and_errors_apart_and_an_end_of_its_input()
    {
        using var process = AttachedProcess.Start("/bin/sh", ["-c", "cat; echo err >&2; exit 3"]);
        await process.Input.WriteAsync("in\n"u8.ToArray());
        process.Input.Dispose();
        Assert.That((await TextAsync(process.Output), await TextAsync(process.Error!)), Is.EqualTo(("in\n", "err\n")));
        Assert.That(await process.Exit, Is.EqualTo(3));
    }

    [Test]
    public async Task A_program_on_a_terminal_sees_its_size_and_every_change_of_it()
    {
        using var process = AttachedProcess.StartOnTerminal("/bin/sh", ["-c", "stty size; read x; stty size; exit 4"], new TerminalSize(90, 25));
        var buffer = new byte[100];
        var count = await process.Output.ReadAsync(buffer);
        Assert.That(Encoding.UTF8.GetString(buffer, 0, count), Is.EqualTo("25 90\n"));
        process.Resize(new TerminalSize(70, 20));
        await process.Input.WriteAsync("\n"u8.ToArray());
        Assert.That(await TextAsync(process.Output), Is.EqualTo("20 70\n"));
        Assert.That(await process.Exit, Is.EqualTo(4));
        Assert.That(process.Error, Is.Null);
    }

    [Test]
    public async Task A_signal_that_ends_it_shows_in_the_exit_code_and_one_after_it_does_nothing()
    {
        using var process = AttachedProcess.Start("/bin/sleep", ["1000"]);
        process.Signal(9);
        Assert.That(await process.Exit, Is.EqualTo(137));
        Assert.That(() => process.Signal(9), Throws.Nothing);
    }

    [Test]
    public void A_program_that_is_not_there_is_told_and_leaves_no_descriptors()
    {
        var before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        for (var i = 0; i < 20; i++)
        {
            Assert.That(() => AttachedProcess.Start("/no/such", []), Throws.TypeOf<ProcessFailedException>());
            Assert.That(() => AttachedProcess.StartOnTerminal("/no/such", [], new TerminalSize(80, 24)), Throws.TypeOf<ProcessFailedException>());
        }

        Assert.That(Directory.GetFileSystemEntries("/proc/self/fd"), Has.Length.LessThan(before + 20));
    }

    [Test]
    public unsafe void A_raw_terminal_is_restored()
    {
        using var terminal = Pseudoterminal.Open(new TerminalSize(80, 24));
        var slave = (int)terminal.Slave.DangerousGetHandle();
        var cooked = Settings(slave);
        cooked[LocalFlags] |= Canonical | Echo;
        fixed (byte* settings = cooked)
        {
            Assert.That(TerminalCalls.SetSettings(slave, 1, settings), Is.Zero);
        }

        using (TerminalMode.EnterRaw(slave))
        {
            Assert.That(Settings(slave)[LocalFlags] & (Canonical | Echo), Is.Zero);
        }

        Assert.That(Settings(slave)[LocalFlags], Is.EqualTo(cooked[LocalFlags]));
        Assert.That(TerminalMode.SizeOf(slave), Is.EqualTo(new TerminalSize(80, 24)));
    }

    [Test]
    public void What_is_no_terminal_cannot_be_raw()
    {
        using var file = File.OpenRead("/dev/null");
        var descriptor = (int)file.SafeFileHandle.DangerousGetHandle();
        Assert.That(() => TerminalMode.EnterRaw(descriptor), Throws.TypeOf<LinuxException>());
        Assert.That(TerminalMode.SizeOf(descriptor), Is.Null);
    }

    private static unsafe byte[] Settings(int descriptor)
    {
        var bytes = new byte[TerminalCalls.SettingsBytes];
        fixed (byte* settings = bytes)
        {
            Assert.That(TerminalCalls.GetSettings(descriptor, settings), Is.Zero);
        }

        return bytes;
    }

    private static async Task<string> TextAsync(Stream stream)
    {
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
