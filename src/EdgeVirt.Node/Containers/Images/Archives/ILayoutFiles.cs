using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Images.Archives;

/// <summary>The files of an image that lies on disk, in a directory or in a tar.</summary>
internal interface ILayoutFiles : IDisposable
{
    /// <summary>For messages.</summary>
    string Name { get; }

    /// <summary>A file, seekable, from its beginning; null where there is none of that name.</summary>
    Stream? Open(string name);
}

/// <summary>A directory.</summary>
internal sealed class DirectoryFiles(string directory) : ILayoutFiles
{
    public string Name => directory;

    public Stream? Open(string name)
    {
        try
        {
            return RegularFile.OpenRead(Path.Combine(directory, name));
        }
        catch (LinuxException absent) when (absent.Errno is NoEntry or NotDirectory)
        {
            return null;
        }
    }

    public void Dispose()
    {
    }

    private const int NoEntry = 2;
    private const int NotDirectory = 20;
}
