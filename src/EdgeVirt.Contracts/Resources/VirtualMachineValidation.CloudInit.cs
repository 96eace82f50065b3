using System.Text;
using EdgeVirt.Contracts.Manifests;

namespace EdgeVirt.Contracts.Resources;

internal static partial class VirtualMachineValidation
{
    private const int MostSeedBytes = 64 << 10;
    private const int MostKeys = 64;
    private const int LongestKey = 8192;
    private const int LongestHostname = 64;

    // What cloud-init knows a kind of user-data by: a '#' line (#cloud-config, #!, #include, ## template: jinja …) or a MIME head.
    private static readonly string[] UserDataHeads = ["#", "Content-Type:", "MIME-Version:"];
    private static readonly string[] KeyTypes = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];

    private static void Validate(CloudInitSpec? seed, string path, Validation v)
    {
        if (seed is null)
        {
            return;
        }

        if (seed is { UserData: not null, UserDataSecret: not null })
        {
            v.Add($"{path}.userDataSecret", "give userData or userDataSecret, not both");
        }

        if (seed.UserDataSecret is { } secret && ResourceName.Problem(secret.Name) is { } problem)
        {
            v.Add($"{path}.userDataSecret.name", $"'{secret.Name}' {problem}");
        }

        Size(seed.UserData, $"{path}.userData", v);
        if (seed.UserData is { } data && !UserDataHeads.Any(head => data.StartsWith(head, StringComparison.OrdinalIgnoreCase)))
        {
            v.Add($"{path}.userData", "must begin with what tells cloud-init its kind, as a line #cloud-config or #!/bin/sh; it would pass over the rest");
        }

        Size(seed.NetworkConfig, $"{path}.networkConfig", v);
        if (seed.NetworkConfig is { } network && !IsNetworkConfig(network))
        {
            v.Add($"{path}.networkConfig", "must be a YAML mapping with 'version: 2', alone or below 'network'");
        }

        ValidateKeys(seed.SshAuthorizedKeys ?? [], $"{path}.sshAuthorizedKeys", v);
        if (seed.Hostname is { } host && (host.Length > LongestHostname || !host.Split('.').All(label => ResourceName.IsValid(label))))
        {
            v.Add($"{path}.hostname", $"must be lower-case letters, digits and '-', in parts with '.' between them, and at most {LongestHostname} characters");
        }
    }

    private static void ValidateKeys(IReadOnlyList<string> keys, string path, Validation v)
    {
        if (keys.Count > MostKeys)
        {
            v.Add(path, $"takes up to {MostKeys} keys, has {keys.Count}");
        }

        var seen = new HashSet<string>();
        for (var i = 0; i < keys.Count; i++)
        {
            var key = keys[i];
            if (key.Contains("PRIVATE KEY", StringComparison.Ordinal))
            {
                v.Add($"{path}[{i}]", "is a private key; give the public one, from the file that ends in .pub, and make a new pair: this one has been shown");
            }
            else if (key.Length > LongestKey || key.Any(char.IsControl) || !key.Split(' ').Any(word => KeyTypes.Any(type => word.StartsWith(type, StringComparison.Ordinal))))
            {
                v.Add($"{path}[{i}]", "must be one line of a public key, as ssh-ed25519 AAAA… comment");
            }
            else if (!seen.Add(key))
            {
                v.Add($"{path}[{i}]", "is there twice");
            }
        }
    }

    private static void Size(string? text, string path, Validation v)
    {
        if (text is not null && Encoding.UTF8.GetByteCount(text) > MostSeedBytes)
        {
            v.Add(path, $"holds {Encoding.UTF8.GetByteCount(text)} bytes; at most {MostSeedBytes} are allowed");
        }
    }

    private static bool IsNetworkConfig(string text)
    {
        var faults = new Validation();
        return ManifestReader.Read(text, faults, aliases: true) is [ManifestMapping root] && faults.IsValid &&
            (root.Find("network")?.Value as ManifestMapping ?? root).Find("version")?.Value is ManifestScalar { Text: "2" };
    }
}
