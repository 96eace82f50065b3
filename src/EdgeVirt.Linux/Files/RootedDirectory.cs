using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using static EdgeVirt.Linux.Files.FileCalls;

namespace EdgeVirt.Linux.Files;

/// <summary>
/// Opens paths as a program would whose root is this directory: symbolic links are followed and never lead out of it, also
/// while somebody changes them (openat2(2) with RESOLVE_IN_ROOT).
/// </summary>
public sealed class RootedDirectory : IDisposable
{
    private const int NonBlocking = 0x800;
    private static readonly int OpenDirectory = DirectoryOnly | CloseOnExec;

    private readonly SafeFileHandle root;

    private RootedDirectory(SafeFileHandle root) => this.root = root;

    /// <summary>Opens a root.</summary>
    /// <param name="path"><c>/</c>, or <c>/proc/PID/root</c> for what a process sees, with its mounts.</param>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public static RootedDirectory Open(string path)
    {
        var descriptor = FileCalls.Open(Terminated(Encoding.UTF8.GetBytes(path)), OpenDirectory, 0);
        return descriptor >= 0
            ? new RootedDirectory(new SafeFileHandle(descriptor, ownsHandle: true))
            : throw new LinuxException($"open {path}", Marshal.GetLastPInvokeError());
    }

    /// <summary>Opens a file or directory for <see cref="TreeSender"/>.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public SafeFileHandle OpenSource(string path)
    {
        // Not blocking: a fifo without a writer would be waited for.
        var descriptor = OpenInRoot(root, Encoding.UTF8.GetBytes(Relative(path)), NonBlocking | CloseOnExec);
        return descriptor switch
        {
            >= 0 => new SafeFileHandle(descriptor, ownsHandle: true),
            -ENOENT or -ENOTDIR => throw new FileNotFoundException($"There is no '{path}'."),
            _ => throw Failure(path, -descriptor),
        };
    }

    /// <summary>Where something that is copied to a path goes: into a directory that is there under its own name, else under the path's last part.</summary>
    /// <param name="path">The destination.</param>
    /// <param name="sourceName">Name of what is copied.</param>
    /// <returns>The directory, which has to be disposed, and the name in it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no directory for it.</exception>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public (SafeFileHandle Directory, string Name) OpenTarget(string path, string sourceName)
    {
        if (OpenDirectoryOrNull(path) is { } inside)
        {
            if (IsName(sourceName))
            {
                return (inside, sourceName);
            }

            inside.Dispose();
            throw new DirectoryNotFoundException($"What is copied has no name of its own; say it: {path.TrimEnd('/')}/NAME.");
        }

        var trimmed = Relative(path);
        var slash = trimmed.LastIndexOf('/');
        var (parent, name) = (slash < 0 ? "/" : "/" + trimmed[..slash], trimmed[(slash + 1)..]);
        if (path.EndsWith('/') || !IsName(name))
        {
            throw new DirectoryNotFoundException($"There is no directory '{path}'.");
        }

        return (OpenDirectoryOrNull(parent) ?? throw new DirectoryNotFoundException($"There is no directory '{parent}'."), name);
    }

    /// <inheritdoc/>
    public void Dispose() => root.Dispose();

    private static bool IsName(string name) => name is not ("" or "." or "..") && !name.Contains('/', StringComparison.Ordinal);

    private static string Relative(string path) => path.Trim('/') is { Length: > 0 } relative ? relative : ".";

    private static LinuxException Failure(string path, int error) =>
        new(error == ENOSYS ? $"open {path}: this needs Linux 5.6" : $"open {path}", error);

    private SafeFileHandle? OpenDirectoryOrNull(string path)
    {
        var descriptor = OpenInRoot(root, Encoding.UTF8.GetBytes(Relative(path)), OpenDirectory);
        return descriptor switch
        {
            >= 0 => new SafeFileHandle(descriptor, ownsHandle: true),
            -ENOENT or -ENOTDIR => null,
            _ => throw Failure(path, -descriptor),
        };
    }
}
