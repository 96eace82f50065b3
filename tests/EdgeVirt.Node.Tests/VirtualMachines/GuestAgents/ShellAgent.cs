using System.Globalization;

namespace EdgeVirt.Node.Tests.VirtualMachines.GuestAgents;

/// <summary>A guest's agent of a few lines of shell. A port that nobody has open on the other side is read as at its end.</summary>
internal static class ShellAgent
{
    /// <summary>Its lines, which go on beside those that follow.</summary>
    /// <param name="obeys">Whether it says that it has frozen the file systems.</param>
    public static string Lines(bool obeys) =>
        """
        agent() {
          until [ -c "$(echo /dev/vport*p1)" ]; do bb usleep 20000; done
          exec 3<>$(echo /dev/vport*p1)
          mac=$(bb cat /sys/class/net/eth0/address)
          echo AGENT UP.
          while :; do
            read -r line <&3 || { bb usleep 20000; continue; }
            case "$line" in
              *guest-sync-delimited*) id=${line##*:}; id=${id%%\}*}; printf '\377{"return": %s}\n' $id >&3;;
              *network-get-interfaces*) printf '{"return": [{"name": "eth0", "hardware-address": "%s", "ip-addresses": [{"ip-address": "10.1.2.3"}]}]}\n' $mac >&3;;
              *freeze-freeze*) >/tmp/frozen; bb usleep 200000; echo FROZEN.; printf '%s\n' 'ANSWER' >&3;;
              *freeze-thaw*) bb rm -f /tmp/frozen; echo THAWED.; printf '{"return": 2}\n' >&3;;
              *guest-set-time*) before=$(bb date +%s); bb hwclock -s -u; echo "CLOCK $before $(bb date +%s) CLOCK SET."; printf '{"return": {}}\n' >&3;;
              *guest-shutdown*) echo SHUT DOWN.; bb poweroff -f;;
            esac
          done
        }
        agent &

        """.Replace("ANSWER", obeys ? """{"return": 2}""" : """{"error": {"class": "GenericError", "desc": "cannot"}}""", StringComparison.Ordinal);

    /// <summary>What the guest's clock said before and after it was set, in seconds since 1970.</summary>
    public static (long Before, long After) ClockIn(string said)
    {
        var words = said.Split('\n').Single(line => line.StartsWith("CLOCK ", StringComparison.Ordinal)).Split(' ');
        return (long.Parse(words[1], CultureInfo.InvariantCulture), long.Parse(words[2], CultureInfo.InvariantCulture));
    }
}
