using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Node.VirtualMachines.CloudInit;

/// <summary>A network card as cloud-init is told of it.</summary>
internal sealed record SeedInterface(string Name, string MacAddress);

/// <summary>
/// What cloud-init is told by its data source NoCloud: three files, of which two are YAML. JSON is YAML too, and needs no rules
/// for quoting. Pure: the same machine gets the same bytes.
/// </summary>
/// <param name="MetaData">Who the machine is.</param>
/// <param name="UserData">What its operator wants of it.</param>
/// <param name="NetworkConfig">Its network cards.</param>
internal sealed record CloudInitSeed(string MetaData, string UserData, string NetworkConfig)
{
    private const string NothingToDo = "#cloud-config\n{}\n";

    /// <summary>Puts it together.</summary>
    /// <param name="name">The machine's.</param>
    /// <param name="uid">The machine's; another machine of the same name is another instance.</param>
    /// <param name="spec">What is wanted.</param>
    /// <param name="secretUserData">The user-data where a Secret has it; null: the spec itself says it.</param>
    /// <param name="interfaces">The cards, for the network where the spec says nothing of it.</param>
    public static CloudInitSeed For(string name, string uid, CloudInitSpec spec, string? secretUserData, IReadOnlyList<SeedInterface> interfaces)
    {
        var userData = secretUserData ?? spec.UserData ?? NothingToDo;
        var network = spec.NetworkConfig ?? Dhcp(interfaces);
        var hostname = spec.Hostname ?? name;
        var keys = spec.SshAuthorizedKeys ?? [];
        // cloud-init does what belongs to a new instance once for each id: when anything that it is told changes, it is a new one.
        var told = string.Join('\0', (string[])[uid, hostname, network, userData, .. keys]);
        var id = "iid-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(told)).AsSpan(0, 16));
        return new CloudInitSeed(Meta(id, hostname, keys), userData, network);
    }

    private static string Meta(string id, string hostname, IReadOnlyList<string> keys) => Json(writer =>
    {
        writer.WriteString("instance-id", id);
        writer.WriteString("local-hostname", hostname);
        if (keys.Count > 0)
        {
            writer.WriteStartArray("public-keys");
            foreach (var key in keys)
            {
                writer.WriteStringValue(key.Trim());
            }

            writer.WriteEndArray();
        }
    });

    private static string Dhcp(IReadOnlyList<SeedInterface> interfaces) => Json(writer =>
    {
        writer.WriteNumber("version", 2);
        writer.WriteStartObject("ethernets");
        foreach (var card in interfaces)
        {
            writer.WriteStartObject(card.Name);
            writer.WriteStartObject("match");
            writer.WriteString("macaddress", card.MacAddress);
            writer.WriteEndObject();
            writer.WriteBoolean("dhcp4", true);
            // The node knows the guest by its card, not by an id that a cloned disk would share.
            writer.WriteString("dhcp-identifier", "mac");
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    });

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }
}
