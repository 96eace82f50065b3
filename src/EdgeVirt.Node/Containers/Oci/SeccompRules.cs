namespace EdgeVirt.Node.Containers.Oci;

/// <summary>
/// The profile <c>RuntimeDefault</c> as <c>linux.seccomp</c> of the runtime's config (OCI runtime specification,
/// config-linux.md): a list of what is allowed, everything else fails with EPERM. Some calls are allowed to who has the
/// capability that the kernel asks for anyway.
/// </summary>
internal static partial class SeccompRules
{
    private const string Allow = "SCMP_ACT_ALLOW";
    private const string Errno = "SCMP_ACT_ERRNO";
    private const string SysAdmin = "CAP_SYS_ADMIN";
    private const uint EPERM = 1;
    private const uint ENOSYS = 38;

    // clone(2): CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
    private const ulong NamespaceFlags = 0x7E02_0000;

    // socket(2), address family of the host's side of virtual machines.
    private const ulong AddressFamilyVsock = 40;

    /// <param name="architecture"><c>amd64</c>, <c>arm64</c> or <c>arm</c>; of others the runtime takes the native one.</param>
    /// <param name="capabilities">Of the container.</param>
    public static SpecSeccomp Default(string architecture, IReadOnlyCollection<string> capabilities)
    {
        var allowed = new SortedSet<string>(Words(Everywhere), StringComparer.Ordinal);
        foreach (var capability in capabilities)
        {
            allowed.UnionWith(Words(ByCapability.GetValueOrDefault(capability) ?? ""));
        }

        var (architectures, special) = architecture switch
        {
            "amd64" => (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], OnX86),
            "arm64" => (["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"], OnArm),
            "arm" => (["SCMP_ARCH_ARM"], OnArm),
            _ => ((string[])[], ""),
        };
        allowed.UnionWith(Words(special));
        List<SpecSyscalls> rules =
        [
            new([.. allowed], Allow),
            new(["socket"], Allow, Args: [new(0, AddressFamilyVsock, 0, "SCMP_CMP_NE")]),
            .. Personalities.Select(value => new SpecSyscalls(["personality"], Allow, Args: [new(0, value, 0, "SCMP_CMP_EQ")])),
        ];
        if (!capabilities.Contains(SysAdmin))
        {
            rules.Add(new(["clone"], Allow, Args: [new(0, NamespaceFlags, 0, "SCMP_CMP_MASKED_EQ")]));
            // Its flags lie in memory, where a filter cannot look; C libraries then fall back to clone.
            rules.Add(new(["clone3"], Errno, ENOSYS));
        }

        return new SpecSeccomp { DefaultAction = Errno, DefaultErrnoRet = EPERM, Architectures = architectures, Syscalls = rules };
    }

    private static string[] Words(string text) => text.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
}
