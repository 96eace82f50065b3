namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const string SysAdmin = "CAP_SYS_ADMIN";

    private static void Validate(PodSecurityContext? security, string path, Validation v)
    {
        UserOrGroup(security?.RunAsUser, $"{path}.runAsUser", v);
        UserOrGroup(security?.RunAsGroup, $"{path}.runAsGroup", v);
        UserOrGroup(security?.FsGroup, $"{path}.fsGroup", v);
        Validate(security?.AppArmorProfile, $"{path}.appArmorProfile", v);
        var groups = security?.SupplementalGroups ?? [];
        for (var i = 0; i < groups.Count; i++)
        {
            UserOrGroup(groups[i], $"{path}.supplementalGroups[{i}]", v);
        }
    }

    private static void Validate(SecurityContext? security, PodSecurityContext? pod, string path, Validation v)
    {
        UserOrGroup(security?.RunAsUser, $"{path}.runAsUser", v);
        UserOrGroup(security?.RunAsGroup, $"{path}.runAsGroup", v);
        if ((security?.RunAsNonRoot ?? pod?.RunAsNonRoot) == true && (security?.RunAsUser ?? pod?.RunAsUser) == 0)
        {
            v.Add($"{path}.runAsUser", "must not be 0 with runAsNonRoot");
        }

        if (security is null)
        {
            return;
        }

        Validate(security.AppArmorProfile, $"{path}.appArmorProfile", v);
        var added = Capabilities(security.Capabilities?.Add, $"{path}.capabilities.add", v);
        Capabilities(security.Capabilities?.Drop, $"{path}.capabilities.drop", v);
        if (security.AllowPrivilegeEscalation == false && (security.Privileged || added.Contains(SysAdmin) || added.Contains(Capability.All)))
        {
            v.Add($"{path}.allowPrivilegeEscalation", "must not be false with privileged or with the capability SYS_ADMIN");
        }

        if (security is { Privileged: true, SeccompProfile.Type: SeccompProfileType.RuntimeDefault })
        {
            v.Add($"{path}.seccompProfile", "has no effect on a privileged container; leave one of the two out");
        }

        if (security is { Privileged: true, AppArmorProfile.Type: AppArmorProfileType.RuntimeDefault })
        {
            v.Add($"{path}.appArmorProfile", "has no effect on a privileged container; leave one of the two out");
        }
    }

    private static void Validate(AppArmorProfile? profile, string path, Validation v)
    {
        if (profile is not null && profile.Type == AppArmorProfileType.Localhost == string.IsNullOrWhiteSpace(profile.LocalhostProfile))
        {
            v.Add($"{path}.localhostProfile", "names the profile with type Localhost, and is for that type alone");
        }
    }

    private static void UserOrGroup(int? id, string path, Validation v)
    {
        if (id < 0)
        {
            v.Add(path, "must not be negative");
        }
    }

    private static HashSet<string> Capabilities(IReadOnlyList<string>? texts, string path, Validation v)
    {
        var names = new HashSet<string>();
        for (var i = 0; i < (texts?.Count ?? 0); i++)
        {
            if (Capability.TryParse(texts![i], out var name))
            {
                names.Add(name);
            }
            else
            {
                v.Add($"{path}[{i}]", $"'{texts[i]}' is no capability; give a name such as NET_ADMIN, or ALL");
            }
        }

        return names;
    }
}
