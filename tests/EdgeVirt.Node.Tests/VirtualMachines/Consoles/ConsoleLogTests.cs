using System.Text;
using EdgeVirt.Node.VirtualMachines.Consoles;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Consoles;

public sealed class ConsoleLogTests
{
    private TempDirectory directory = null!;
    private string path = null!;

    [SetUp]
    public void SetUp()
    {
        directory = new TempDirectory();
        path = directory.Combine("log");
    }

    [TearDown]
    public void TearDown() => directory.Dispose();

    [TestCase("one\ntwo\nthree\n", 2, "two\nthree\n")]
    [TestCase("one\ntwo\nlogin: ", 2, "two\nlogin: ")]
    [TestCase("one\ntwo\n", 10, "one\ntwo\n")]
    [TestCase("one\n\n\n", 2, "\n\n")]
    [TestCase("one\ntwo\n", 0, "")]
    [TestCase("one\ntwo\n", -1, "one\ntwo\n")]
    [TestCase("", 5, "")]
    public void Begins_with_the_last_lines_and_goes_on_with_what_comes(string said, long lines, string expected)
    {
        File.WriteAllText(path, said);
        using var log = ConsoleLog.Open(path, lines)!;
        Assert.That(ReadAll(log), Is.EqualTo((expected, 0)));
        File.AppendAllText(path, "more");
        Assert.That(ReadAll(log), Is.EqualTo(("more", 0)));
    }

    [Test]
    public void A_console_that_never_was_has_no_log() => Assert.That(ConsoleLog.Open(path, -1), Is.Null);

    [Test]
    public void Takes_little_space_however_much_is_written_and_keeps_the_end()
    {
        ConsoleLog.Bound(path);
        using var log = Fill(12 << 20, () => ConsoleLog.Bound(path));
        Assert.That(Space(), Is.LessThan((ConsoleLog.Kept + (1 << 20)) >> 10), "KiB");
        using var late = ConsoleLog.Open(path, -1)!;
        var (kept, _) = ReadAll(late);
        Assert.That(kept, Has.Length.EqualTo(ConsoleLog.Kept).And.EndsWith("\nline 00012582890\nline ").And.Not.Contain("\0"));
    }

    [Test]
    public void Who_reads_bounds_it_too_and_misses_nothing()
    {
        File.WriteAllText(path, "");
        using var log = ConsoleLog.Open(path, 0)!;
        var read = new StringBuilder();
        var misses = 0;
        using var _ = Fill(4 << 20, () =>
        {
            var (text, missed) = ReadAll(log);
            read.Append(text);
            misses += missed;
        });
        Assert.That((misses, read.Length), Is.EqualTo((0, 4 << 20)));
        Assert.That(Space(), Is.LessThan((ConsoleLog.Kept + (1 << 20)) >> 10), "KiB");
    }

    [Test]
    public void Who_falls_behind_is_told_and_goes_on_with_what_is_kept()
    {
        File.WriteAllText(path, "begin\n");
        using var log = ConsoleLog.Open(path, -1)!;
        using var _ = Fill(3 << 20, () => ConsoleLog.Bound(path));
        var (text, misses) = ReadAll(log);
        Assert.That((misses, text.Length), Is.EqualTo((1, (int)ConsoleLog.Kept)));
        Assert.That(text, Does.Not.Contain("\0").And.Not.Contain("begin"));
    }

    // Lines of 17 bytes with their offset, of which the last may be cut; in pieces of 64 KiB.
    private FileStream Fill(int bytes, Action between)
    {
        var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        var begin = file.Length;
        var piece = new StringBuilder();
        for (var at = 0; at < bytes;)
        {
            piece.Append($"line {at:D11}\n");
            at += 17;
            if (piece.Length >= 64 << 10 || at >= bytes)
            {
                file.Write(Encoding.ASCII.GetBytes(piece.ToString()).AsSpan(0, (int)Math.Min(piece.Length, begin + bytes - file.Position)));
                file.Flush();
                piece.Clear();
                between();
            }
        }

        return file;
    }

    private static (string Text, int Misses) ReadAll(ConsoleLog log)
    {
        var buffer = new byte[10_000];
        var text = new StringBuilder();
        var misses = 0;
        while (log.Read(buffer, out var missed) is > 0 and var count)
        {
            misses += missed ? 1 : 0;
            text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return (text.ToString(), misses);
    }

    // KiB that the file really takes.
    private long Space() => long.Parse(Command.Run("du", "-k", path).Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture);
}
