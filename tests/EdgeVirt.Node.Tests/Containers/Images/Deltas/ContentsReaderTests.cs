using System.Text;
using CsCheck;
using EdgeVirt.Node.Containers.Images.Deltas;

namespace EdgeVirt.Node.Tests.Containers.Images.Deltas;

internal sealed class ContentsReaderTests
{
    private static readonly byte[] s_contents = Encoding.UTF8.GetBytes("{\"version\":1,\"later\":{\"a\":[1,{}]},\"entries\":[" + string.Join(',', Enumerable.Range(0, 20).Select(number => $$"""
        {"type":"reg","name":"file-{{number}}","mode":420,"size":300,"modtime":"2026-01-02T03:04:05Z","digest":"sha256:{{new string('a', 64)}}","offset":{{(number * 100) + 10}},"endOffset":{{(number * 100) + 90}},"xattrs":{"user.x":"eA=="} }
        """)) + "],\"tarSplitDigest\":\"sha256:0\"}");

    [Test]
    public void Reads_a_table_however_its_bytes_arrive()
    {
        foreach (var piece in (int[])[1, 7, 100, 1 << 20])
        {
            var contents = Check(new Trickle(s_contents, piece));
            Assert.That(contents.Pieces, Has.Count.EqualTo(20));
            Assert.That(contents.Pieces[^1].End, Is.EqualTo(1990));
        }
    }

    [Test]
    public void An_entry_that_never_ends_is_refused_before_it_fills_the_memory()
    {
        var endless = Encoding.UTF8.GetBytes("{\"version\":1,\"entries\":[{\"type\":\"reg\",\"name\":\"" + new string('n', 3 << 20) + "\"}]}");
        Assert.That(() => Check(new MemoryStream(endless)), Throws.TypeOf<NoDeltaException>().With.Message.Contains("too large"));
    }

    [Test]
    public void More_entries_than_are_kept_in_memory_at_a_time_are_read_all()
    {
        var many = Encoding.UTF8.GetBytes("{\"version\":1,\"entries\":[" + string.Concat(Enumerable.Repeat("{},", 50_000)) + "{\"type\":\"dir\"}]}");
        Assert.That(new ContentsReader(new MemoryStream(many)).Entries().Count(), Is.EqualTo(50_001));
    }

    [Test]
    public void Long_names_weigh_as_much_as_many_files()
    {
        var names = Encoding.UTF8.GetString(s_contents).Replace("file-", new string('n', 1000), StringComparison.Ordinal);
        Assert.That(() => new ContentsCheck(10_000, 1 << 30, maxWeight: 100).Run(new ContentsReader(new MemoryStream(Encoding.UTF8.GetBytes(names)))), Throws.TypeOf<NoDeltaException>().With.Message.Contains("long names"));
    }

    [Test]
    public void More_files_than_allowed_are_refused() =>
        Assert.That(() => new ContentsCheck(10_000, 1 << 30, maxWeight: 10).Run(new ContentsReader(new MemoryStream(s_contents))), Throws.TypeOf<NoDeltaException>().With.Message.Contains("more files than 10"));

    [Test]
    public void A_damaged_table_is_read_or_refused_and_nothing_else_happens() =>
        Gen.Select(Gen.Int[0, s_contents.Length - 1], Gen.Byte, Gen.Int[0, s_contents.Length]).Sample((at, value, length) =>
        {
            var bytes = s_contents.ToArray();
            bytes[at] = value;
            try
            {
                var contents = Check(new MemoryStream(bytes[..Math.Max(at + 1, length)]));
                return contents.Pieces.All(piece => piece.Start >= 0 && piece.End > piece.Start && piece.End <= 10_000 && piece.Length > 0);
            }
            catch (NoDeltaException)
            {
                return true;
            }
        }, iter: 20_000);

    private static TableOfContents Check(Stream json) => new ContentsCheck(10_000, 1 << 30, ContentsCheck.MaxWeight).Run(new ContentsReader(json));

    private sealed class Trickle(byte[] content, int piece) : ReadOnlyStream
    {
        private int _at;

        public override int Read(Span<byte> buffer)
        {
            var count = Math.Min(Math.Min(buffer.Length, piece), content.Length - _at);
            content.AsSpan(_at, count).CopyTo(buffer);
            _at += count;
            return count;
        }
    }
}
