using System.ComponentModel;

namespace EdgeVirt.Linux;

/// <summary>A system call failed.</summary>
/// <param name="operation">What was tried, with its operands, e.g. <c>mount overlay on /x</c>.</param>
/// <param name="errno">The kernel's error number.</param>
public sealed class LinuxException(string operation, int errno)
    : IOException($"{operation}: {new Win32Exception(errno).Message} (errno {errno})")
{
    /// <summary>The kernel's error number.</summary>
    public int Errno { get; } = errno;
}
