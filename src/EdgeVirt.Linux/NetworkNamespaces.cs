using System.Runtime.ExceptionServices;

namespace EdgeVirt.Linux;

/// <summary>Network namespaces that outlive the process: each is held by a bind mount at a path.</summary>
public static class NetworkNamespaces
{
    /// <summary>Makes an empty network namespace (its loopback is down) held at <paramref name="path"/>.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Create(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, []);
        OnThread(() =>
        {
            if (Native.Unshare(Native.CLONE_NEWNET) != 0)
            {
                throw Native.Failure("unshare the network namespace");
            }

            Mounts.Mount($"/proc/self/task/{Native.ThreadId()}/ns/net", path, null, MountFlags.Bind);
            return true;
        });
    }

    /// <summary>Whether a namespace is held at <paramref name="path"/>.</summary>
    public static bool Exists(string path) => File.Exists(path) && Mounts.List().Any(mount => mount.Target == path && mount.Type == "nsfs");

    /// <summary>Lets go of a namespace; it ends with its last process. Nothing there is no failure.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Delete(string path)
    {
        while (Mounts.Unmount(path, detach: true))
        {
        }

        File.Delete(path);
    }

    /// <summary>
    /// Runs synchronous work in a namespace, on a thread of its own. Processes started in it are in the namespace,
    /// and sockets opened in it stay there.
    /// </summary>
    /// <param name="path">Bind mount or <c>/proc/PID/ns/net</c>.</param>
    /// <param name="work">What to do; of asynchronous work only the part before the first await is inside.</param>
    /// <exception cref="LinuxException">The namespace cannot be entered.</exception>
    public static T Run<T>(string path, Func<T> work) => OnThread(() =>
    {
        var fd = Native.Open(path, Native.O_RDONLY | Native.O_CLOEXEC);
        if (fd < 0)
        {
            throw Native.Failure($"open network namespace {path}");
        }

        try
        {
            if (Native.SetNamespace(fd, Native.CLONE_NEWNET) != 0)
            {
                throw Native.Failure($"enter network namespace {path}");
            }
        }
        finally
        {
            _ = Native.Close(fd);
        }

        return work();
    });

    // A thread that has entered a namespace is never given back to the pool: it ends with its work.
    private static T OnThread<T>(Func<T> work)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        }, maxStackSize: 256 << 10);
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
