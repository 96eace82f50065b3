using System.Globalization;
using EdgeVirt.Linux.Storage;
using EdgeVirt.Testing;

namespace EdgeVirt.Cli.Tests.Flash;

/// <summary>A block device of the kernel whose medium is a script: a loop device on a FUSE file that nbdkit serves.</summary>
internal sealed class BadDisk : IAsyncDisposable
{
    private readonly ChildProcess server;
    private readonly LoopDevice loop;

    private BadDisk(ChildProcess server, LoopDevice loop, string medium) => (this.server, this.loop, Medium) = (server, loop, medium);

    /// <summary>Such as <c>/dev/loop3</c>.</summary>
    public string Path => loop.Path;

    /// <summary>File with what was really kept.</summary>
    public string Medium { get; }

    /// <summary>Starts one.</summary>
    /// <param name="directory">Where its files lie.</param>
    /// <param name="says">Bytes that it says it has.</param>
    /// <param name="place">Shell arithmetic that turns offset <c>$4</c> into a place on the medium.</param>
    /// <param name="beforeWrite">Shell text; a write is <c>$3</c> bytes at <c>$4</c>.</param>
    /// <param name="afterRead">Shell text that may change <c>$data</c>, a file with the <c>$3</c> bytes at <c>$4</c>.</param>
    public static async Task<BadDisk> StartAsync(TempDirectory directory, long says, string place = "$4", string beforeWrite = "", string afterRead = "")
    {
        var medium = directory.Combine("medium");
        var mount = directory.Subdirectory("fuse");
        File.WriteAllBytes(medium, []);
        var server = ChildProcess.Start(
            "nbdfuse",
            [
                mount, "--command", "nbdkit", "-s", "--exit-with-parent", "eval",
                string.Create(CultureInfo.InvariantCulture, $"get_size=echo {says}"), "can_write=exit 0", "can_flush=exit 0", "flush=exit 0",
                $"pread=data=$tmpdir/$$; at=$(({place})); head -c $3 /dev/zero >$data; dd if={medium} of=$data conv=notrunc bs=64K iflag=skip_bytes,count_bytes skip=$at count=$3 2>/dev/null; {afterRead} cat $data; rm $data",
                $"pwrite=at=$(({place})); {beforeWrite} dd of={medium} conv=notrunc bs=64K iflag=fullblock oflag=seek_bytes seek=$at 2>/dev/null",
            ],
            directory.Combine("nbd.log"));
        var file = System.IO.Path.Combine(mount, "nbd");
        await server.WaitUntilAsync("the disk is there", () => Task.FromResult(File.Exists(file)), TimeSpan.FromSeconds(15));
        return new BadDisk(server, LoopDevice.Attach(file), medium);
    }

    public async ValueTask DisposeAsync()
    {
        loop.Dispose();
        try
        {
            await server.TerminateAsync(TimeSpan.FromSeconds(10));
        }
        finally
        {
            await server.DisposeAsync();
        }
    }
}
