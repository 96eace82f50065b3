using System.Security.Cryptography;

namespace EdgeVirt.Cli.Flash;

/// <summary>Digests of the ranges of an image whose bytes come by in order; what lies between ranges is passed over.</summary>
/// <param name="ranges">In ascending order.</param>
/// <param name="whole">Called with each range's number and digest as soon as it is complete.</param>
internal sealed class RangeHasher(IReadOnlyList<MappedRange> ranges, Action<int, byte[]> whole) : IDisposable
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int current;

    /// <summary>Ranges that are complete.</summary>
    public int Complete => current;

    public void Add(long offset, ReadOnlySpan<byte> bytes)
    {
        while (current < ranges.Count && ranges[current].Offset < offset + bytes.Length)
        {
            var range = ranges[current];
            var from = (int)Math.Max(0, range.Offset - offset);
            var to = (int)Math.Min(bytes.Length, range.End - offset);
            hash.AppendData(bytes[from..to]);
            if (offset + to < range.End)
            {
                return;
            }

            whole(current, hash.GetHashAndReset());
            current++;
        }
    }

    public void Dispose() => hash.Dispose();
}
