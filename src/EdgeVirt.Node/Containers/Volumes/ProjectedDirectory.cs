using System.Security.Cryptography;
using System.Text;
using EdgeVirt.Linux.Files;

namespace EdgeVirt.Node.Containers.Volumes;

/// <summary>
/// Files that change all at once, also under the eyes of a running container, laid out as Kubernetes does it: the files lie in a
/// directory named after their content, <c>..data</c> is a link to it, and each name in the volume a link through that.
/// A rename of <c>..data</c> is the change.
/// </summary>
internal static class ProjectedDirectory
{
    private const string Current = "..data";
    private const UnixFileMode Everyone = (UnixFileMode)0x1ED; // 0755

    /// <summary>Makes the directory show these files, and nothing else.</summary>
    /// <param name="directory">Made if need be.</param>
    /// <param name="files">By path below it.</param>
    /// <param name="group">To whom directories and files belong; null: root's.</param>
    /// <returns>False: it did so already.</returns>
    /// <exception cref="IOException">The tmpfs is full.</exception>
    public static bool Write(string directory, IReadOnlyDictionary<string, ProjectedFile> files, uint? group)
    {
        Directory.CreateDirectory(directory, Everyone);
        File.SetUnixFileMode(directory, Everyone);
        var name = ".." + HashOf(files, group);
        var link = Path.Combine(directory, Current);
        var before = new FileInfo(link).LinkTarget;
        if (before == name)
        {
            return false;
        }

        var made = Path.Combine(directory, name);
        Delete(made);
        WriteFiles(made, files, group);
        // Names that lead nowhere yet come first, names that lead nowhere any more go last.
        foreach (var top in TopsOf(files).Where(top => new FileInfo(Path.Combine(directory, top)).LinkTarget is null))
        {
            File.CreateSymbolicLink(Path.Combine(directory, top), $"{Current}/{top}");
        }

        var next = Path.Combine(directory, "..data_tmp");
        File.Delete(next);
        File.CreateSymbolicLink(next, name);
        FileTree.Rename(next, link);
        RemoveOld(directory, name, TopsOf(files));
        return true;
    }

    private static void WriteFiles(string directory, IReadOnlyDictionary<string, ProjectedFile> files, uint? group)
    {
        MakeDirectory(directory, group);
        foreach (var (path, file) in files)
        {
            var full = directory;
            foreach (var part in path.Split('/')[..^1])
            {
                full = Path.Combine(full, part);
                MakeDirectory(full, group);
            }

            using var stream = new FileStream(Path.Combine(directory, path), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            stream.Write(file.Content);
            GroupAccess.Set(stream.SafeFileHandle, group, (uint)file.Mode);
        }
    }

    private static void MakeDirectory(string path, uint? group)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, Everyone);
            GroupAccess.Set(path, group, (uint)Everyone);
        }
    }

    private static void RemoveOld(string directory, string name, HashSet<string> tops)
    {
        foreach (var path in Directory.GetFileSystemEntries(directory))
        {
            var found = Path.GetFileName(path);
            if (found == name || found == Current || tops.Contains(found))
            {
                continue;
            }

            if (new FileInfo(path).LinkTarget is not null || File.Exists(path))
            {
                File.Delete(path);
            }
            else
            {
                Delete(path);
            }
        }
    }

    private static HashSet<string> TopsOf(IReadOnlyDictionary<string, ProjectedFile> files) => [.. files.Keys.Select(path => path.Split('/')[0])];

    private static string HashOf(IReadOnlyDictionary<string, ProjectedFile> files, uint? group)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{group}\n"));
        foreach (var (path, file) in files.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{path}\n{(int)file.Mode} {file.Content.Length}\n"));
            hash.AppendData(file.Content);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private static void Delete(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
