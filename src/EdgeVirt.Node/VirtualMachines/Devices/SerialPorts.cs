using System.Globalization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers.Devices;

namespace EdgeVirt.Node.VirtualMachines.Devices;

/// <summary>Finds serial ports of the node, and who has them open.</summary>
internal sealed class SerialPorts(IReadOnlyList<DeclaredDevice> declared, HostRoots roots)
{
    private readonly DeviceFinder finder = new(declared, roots.Sys);

    /// <summary>The port.</summary>
    /// <exception cref="DeviceMissingException">It is not there.</exception>
    /// <exception cref="VmNotReadyException">It is no serial port.</exception>
    public HostDevice.Serial Find(string name, VirtualSerialPort wanted)
    {
        FoundDevice found;
        try
        {
            found = finder.Find(new DeviceSpec { Path = wanted.Path, Name = wanted.Name })[0];
        }
        catch (DeviceMissingException e)
        {
            throw new DeviceMissingException($"device '{name}': {e.Message}");
        }

        return found.IsBlock || !IsTerminal(found.Number)
            ? throw DeviceProblems.Refused($"device '{name}': {found.Path} is no serial port; name one, as /dev/ttyUSB0")
            : new HostDevice.Serial(name, found.Path, found.Number);
    }

    /// <summary>Refuses a port that somebody has open.</summary>
    /// <exception cref="VmNotReadyException">The message says who.</exception>
    public void CheckFree(HostDevice.Serial port)
    {
        if (HolderOf(port.Number) is { } holder)
        {
            throw DeviceProblems.InUse($"device '{port.Name}': {port.Path} is in use by {holder}; end that, or choose another port");
        }
    }

    private bool IsTerminal(DeviceNumber number)
    {
        var entry = new DirectoryInfo(Path.Combine(roots.Sys, "dev/char", number.ToString()));
        return entry.ResolveLinkTarget(returnFinalTarget: true) is { } device && Path.GetFileName(Path.GetDirectoryName(device.FullName)) == "tty";
    }

    // By the device's number: containers and machines have it by other names.
    private string? HolderOf(DeviceNumber number)
    {
        foreach (var process in Directory.EnumerateDirectories(roots.Proc))
        {
            if (int.TryParse(Path.GetFileName(process), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Holds(process, number))
            {
                var name = Text(Path.Combine(process, "comm"))?.Trim() ?? "?";
                var group = Text(Path.Combine(process, "cgroup"))?.Split('\n').Select(line => line.Split(':', 3)).FirstOrDefault(parts => parts.Length == 3 && parts[2].Length > 1)?[2];
                return $"{name} (process {pid}{(group is null ? "" : $", control group {group}")})";
            }
        }

        return null;
    }

    private static bool Holds(string process, DeviceNumber number)
    {
        try
        {
            foreach (var descriptor in Directory.EnumerateFileSystemEntries(Path.Combine(process, "fd")))
            {
                if (File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName.StartsWith("/dev/", StringComparison.Ordinal) == true)
                {
                    using var opened = PinnedPath.TryOpen(descriptor);
                    if (opened is { Kind: FileKind.CharacterDevice } && opened.Device == number)
                    {
                        return true;
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile.
        }

        return false;
    }

    private static string? Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
