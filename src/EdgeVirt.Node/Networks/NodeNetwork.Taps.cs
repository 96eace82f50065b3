using System.Security.Cryptography;
using System.Text;
using EdgeVirt.Linux;
using Microsoft.Win32.SafeHandles;

namespace EdgeVirt.Node.Networks;

/// <summary>Links on the bridge for virtual machines: QEMU gets them as open descriptors, and needs no right of its own to make any.</summary>
internal sealed partial class NodeNetwork
{
    // Not that of workloads' links, which are looked through for stale ones by themselves.
    private const string TapPrefix = "vt";

    private readonly TaskCompletionSource recovered = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Name of a machine's link; at most 15 characters are allowed.</summary>
    /// <param name="id">Of the machine.</param>
    /// <param name="card">Name of its network card.</param>
    public static string TapOf(string id, string card) =>
        TapPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{id}/{card}")).AsSpan(0, 6));

    /// <summary>Prefix length of the addresses on the bridge.</summary>
    public int PrefixLength => pool.PrefixLength;

    /// <summary>Completes when workloads have their addresses and ports back; see <see cref="RecoverAsync"/>.</summary>
    public Task RecoveredAsync(CancellationToken ct) => recovered.Task.WaitAsync(ct);

    /// <summary>Runs synchronous work in the network that the bridge is in; a program started in it is there too.</summary>
    public T Inside<T>(Func<T> work) => OnHost(work);

    /// <summary>
    /// Makes links for a machine and publishes the ports that are reserved for it. Not before workloads have theirs back. The links
    /// go with the last descriptor, which is QEMU's once it runs.
    /// </summary>
    /// <param name="id">Of the machine.</param>
    /// <param name="taps">Names of the links.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>A descriptor for each, to be handed on and closed here.</returns>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task<IReadOnlyList<SafeFileHandle>> ConnectTapsAsync(string id, IReadOnlyList<string> taps, CancellationToken ct)
    {
        if (taps.Count == 0)
        {
            return [];
        }

        await RecoveredAsync(ct);
        await EnsureAsync(ct);
        List<SafeFileHandle> made = [];
        try
        {
            OnHost(() =>
            {
                foreach (var tap in taps)
                {
                    made.Add(TapDevice.Make(tap));
                }

                return true;
            });
            await BatchAsync(string.Concat(taps.Select(tap => $"link set {tap} master {Bridge} up\nlink set {tap} type bridge_slave hairpin on\n")), ct);
            await PublishAsync(id, ct);
            return made;
        }
        catch
        {
            made.ForEach(tap => tap.Dispose());
            throw;
        }
    }

    /// <summary>Publishes the ports of a machine that went on without an agent; its links are there. Whoever makes the rules first after a start does it for all that is reserved.</summary>
    /// <exception cref="IOException">A tool or the kernel refused.</exception>
    public async Task AdoptTapsAsync(string id, CancellationToken ct)
    {
        await setup.WaitAsync(ct);
        try
        {
            if (!ready)
            {
                return;
            }
        }
        finally
        {
            setup.Release();
        }

        await PublishAsync(id, ct);
    }

    /// <summary>Withdraws the ports of a machine whose QEMU has ended, and lets go of them.</summary>
    public async Task DisconnectTapsAsync(string id, CancellationToken ct)
    {
        await WithdrawAsync(id, ct);
        ports.Release(id);
    }
}
