using System.Text;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;

namespace EdgeVirt.Cli.Tests.Interactive;

public sealed class AttachTests
{
    [Test]
    public async Task Passes_input_output_and_exit_code()
    {
        await using var hub = await FakeHub.StartAsync();
        AttachRequest? request = null;
        FakeChannel.Serve(hub, "/api/v1/workloads/web/attach", async channel =>
        {
            request = channel.Opened.Attach;
            await channel.AllowAsync(100);
            await foreach (var message in channel.ReadAllAsync())
            {
                if (message.KindCase == StreamMessage.KindOneofCase.End)
                {
                    break;
                }

                await channel.SendAsync(new StreamMessage { Data = ByteString.CopyFromUtf8($"got {message.Data.ToStringUtf8()}\n") });
            }

            await channel.SendAsync(new StreamMessage { ExitCode = 3 });
            await channel.CloseAsync();
        });
        using var cli = new CliRun(hub) { Input = "word" };
        var outcome = await cli.RunAsync("attach", "-i", "web", "-c", "main");
        Assert.That(outcome, Is.EqualTo(new CliOutcome(3, "got word\n", "")));
        Assert.That(request, Is.EqualTo(new AttachRequest { Workload = "web", Container = "main", Stdin = true }));
    }

    [TestCase("plain", "plain", false)]
    [TestCase("a\x10\x11z", "a", true)]
    [TestCase("\x10z", "\x10z", false)]
    [TestCase("\x10\x10\x11", "\x10", true)]
    [TestCase("\x11\x10", "\x11", false)]
    public async Task Two_keys_in_a_row_leave_the_program(string typed, string expected, bool leaves)
    {
        foreach (var part in (int[])[1, 2, 100])
        {
            var left = 0;
            await using var keys = new DetachKeys(new Pieces(Encoding.ASCII.GetBytes(typed), part), () => left++);
            var got = new List<byte>();
            var buffer = new byte[10];
            while (left == 0 && await keys.ReadAsync(buffer) is > 0 and var count)
            {
                got.AddRange(buffer[..count]);
            }

            Assert.That((Encoding.ASCII.GetString([.. got]), left), Is.EqualTo((expected, leaves ? 1 : 0)), $"in pieces of {part}");
        }
    }

    private sealed class Pieces(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
    }
}
