using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EdgeVirt.Node.Networks;

namespace EdgeVirt.Node.Tests.Networks.Names;

/// <summary>What a name server said (RFC 1035, section 4): response code and addresses.</summary>
internal sealed record DnsAnswer(int Code, string Addresses, uint Ttl)
{
    public const ushort A = 1;
    public const ushort Aaaa = 28;
    public const int NoError = 0;
    public const int NoSuchName = 3;
    public const int Refused = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Asks by UDP; null: no answer.</summary>
    public static async Task<DnsAnswer?> AskAsync(
        BridgedNamespaces net, Attachment? place, string name, ushort type = A, int port = 53, TimeSpan? patience = null)
    {
        using var socket = net.NewSocket(place, ProtocolType.Udp);
        using var limit = new CancellationTokenSource(patience ?? Patience);
        try
        {
            await socket.SendToAsync(Query(name, type), new IPEndPoint(IPAddress.Parse(net.Network.Gateway), port), limit.Token);
            var buffer = new byte[4096];
            return Read(buffer.AsSpan(0, await socket.ReceiveAsync(buffer, limit.Token)));
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    public static byte[] Query(string name, ushort type)
    {
        List<byte> bytes = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        foreach (var label in name.Split('.'))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        return [.. bytes, 0, (byte)(type >> 8), (byte)type, 0, 1];
    }

    /// <summary>An answer of one address to a query.</summary>
    public static byte[] AnswerTo(ReadOnlySpan<byte> query, string address)
    {
        byte[] head = [.. query[..2], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        var question = query[12..];
        var end = question.IndexOf((byte)0) + 5;
        return [.. head, .. question[..end], 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, .. IPAddress.Parse(address).GetAddressBytes()];
    }

    private static DnsAnswer Read(ReadOnlySpan<byte> message)
    {
        var answers = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        var at = 12 + message[12..].IndexOf((byte)0) + 5;
        var addresses = new List<string>();
        uint ttl = 0;
        for (var i = 0; i < answers; i++)
        {
            // Each names the question by a pointer.
            var length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 10)..]);
            ttl = BinaryPrimitives.ReadUInt32BigEndian(message[(at + 6)..]);
            addresses.Add(new IPAddress(message.Slice(at + 12, length)).ToString());
            at += 12 + length;
        }

        return new DnsAnswer(message[3] & 15, string.Join(' ', addresses.Order(StringComparer.Ordinal)), ttl);
    }
}
