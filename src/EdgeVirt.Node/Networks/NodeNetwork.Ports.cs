using System.Globalization;
using System.Text;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.Networks;

/// <summary>Published ports: who has them, and the rules that lead them on.</summary>
internal sealed partial class NodeNetwork
{
    /// <summary>Reserves node ports for a sandbox; gives the one that another sandbox has, and that one's id.</summary>
    public (Forward Taken, string By)? Reserve(string id, IReadOnlyList<Forward> forwards) => ports.Reserve(id, forwards);

    public void Release(string id) => ports.Release(id);

    /// <summary>
    /// Leads the node ports of <paramref name="to"/> there, also those that led to <paramref name="from"/>, in one
    /// transaction: a new connection goes to either of the two, and none is refused. What is connected stays where it is.
    /// Ports of <paramref name="from"/> that the other does not want stay as they are. Both must be connected. Again
    /// is no failure.
    /// </summary>
    /// <returns>A port that a third sandbox has, and that one's id: nothing was moved. Null: all is done.</returns>
    /// <exception cref="IOException">A tool or the kernel refused; nothing was moved.</exception>
    public async Task<(Forward Taken, string By)?> MoveAsync(Attachment from, Attachment to, CancellationToken ct)
    {
        await EnsureAsync(ct);
        var (replaced, holder) = ports.Between(from.Id, to.Id, to.Forwards);
        if (holder is not null || to.Forwards.Count == 0)
        {
            return holder;
        }

        await RulesAsync(FirewallRules.Replace(replaced, to.Forwards), ct);
        ports.Move(from.Id, to.Id, to.Forwards);
        await ForgetFlowsAsync(to.Forwards);
        return null;
    }

    private async Task PublishAsync(string id, CancellationToken ct)
    {
        // Not those of the attachment: they may be another's still, to be moved once this one is ready.
        var forwards = ports.Of(id);
        if (forwards.Count > 0)
        {
            await RulesAsync(FirewallRules.Add(forwards), ct);
            await ForgetFlowsAsync(forwards);
        }
    }

    private async Task WithdrawAsync(string id, CancellationToken ct)
    {
        var forwards = ports.Of(id);
        if (forwards.Count > 0)
        {
            await OnHostAsync("nft", ["-f", "-"], Encoding.UTF8.GetBytes(FirewallRules.Delete(forwards)), ct, check: false);
        }
    }

    // The kernel decides where a UDP sender goes by its first packet, and remembers that as long as it goes on sending.
    private async Task ForgetFlowsAsync(IEnumerable<Forward> forwards)
    {
        foreach (var forward in forwards.Where(forward => forward.Protocol == "udp"))
        {
            string[] address = forward.HostAddress is { } one ? ["--orig-dst", one] : [];
            try
            {
                // Carried through: the rules are in force already. Exit code 1 says that there was none.
                await OnHostAsync(
                    "conntrack", ["-D", "-p", "udp", "--orig-port-dst", forward.HostPort.ToString(CultureInfo.InvariantCulture), .. address], default, CancellationToken.None, check: false);
            }
            catch (ProcessFailedException)
            {
                // Without that tool senders that never pause stay where they were, half a minute after their last packet.
            }
        }
    }
}
