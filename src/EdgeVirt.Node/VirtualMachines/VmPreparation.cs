using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Linux.Files;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.VirtualMachines.CloudInit;
using EdgeVirt.Node.VirtualMachines.Devices;
using EdgeVirt.Node.VirtualMachines.Disks;
using EdgeVirt.Node.VirtualMachines.Qemu;
using EdgeVirt.Node.VirtualMachines.Snapshots;

namespace EdgeVirt.Node.VirtualMachines;

/// <summary>Where the parts of machines come from.</summary>
internal sealed record VmSources(IContainerImages Images, BaseDisks Bases, DiskDownload Downloads, MachineDisks Disks, AccelerationProbe Acceleration);

/// <summary>What a machine finds on the node beside it.</summary>
/// <param name="TakenBytes">Memory that other machines take.</param>
/// <param name="CloneAsync">Reads a disk of one of them.</param>
internal sealed record VmSurroundings(long TakenBytes, Func<DiskCloneSource, CancellationToken, Task<SnapshotReading>> CloneAsync);

/// <summary>Puts on the node what a machine needs to start: nothing is started before all of it is there and sound.</summary>
internal sealed class VmPreparation(NodeOptions options, VmSources sources)
{
    private const string UserDataKey = "userdata";
    private const string SeedDisk = "cidata";
    private const string SeedNode = "seed";
    private const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>What is to run; all of its files are there.</summary>
    /// <param name="wanted">The machine.</param>
    /// <param name="record">Who it is on the node, its network cards among it.</param>
    /// <param name="document">Has the Secrets that it names.</param>
    /// <param name="others">What there is beside it.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="Exception">See <see cref="VmProblem.Of"/>.</exception>
    public async Task<QemuGuest> PrepareAsync(DesiredVirtualMachine wanted, VmRecord record, NodeDocument document, VmSurroundings others, CancellationToken ct)
    {
        var spec = wanted.Spec with { Machine = ModelOf(wanted.Spec) };
        var paths = VmPaths.Of(options, record.Id);
        var user = new Unprivileged(record.User);
        var guest = new QemuGuest
        {
            Name = wanted.Name,
            Uuid = MachineIdentity.UuidOf(document.Node, wanted.Uid),
            Spec = spec,
            Nics = [.. record.Cards.Select(card => card.Nic)],
            Acceleration = await AccelerationOfAsync(spec, ct),
        };
        CheckNode(guest, others.TakenBytes);
        if (spec.Tpm is not null)
        {
            TpmEmulator.Require();
        }

        var terms = VmPullTerms.Of(spec, document);
        List<QemuDisk> disks = [];
        foreach (var disk in spec.Disks ?? [])
        {
            disks.Add(await sources.Disks.EnsureAsync(disk, await SourceAsync(disk, paths, terms, others, ct), paths, user, ct));
        }

        if (spec.CloudInit is { } cloudInit)
        {
            var seed = CloudInitSeed.For(wanted.Name, wanted.Uid, cloudInit, SecretUserData(cloudInit, document), [.. record.Cards.Select(card => card.Seed)]);
            Directory.CreateDirectory(Path.GetDirectoryName(paths.Seed)!);
            await SeedImage.WriteAsync(seed, paths.Seed, user, ct);
            disks.Add(new QemuDisk(SeedDisk, paths.Seed, DiskFormat.Raw, ReadOnly: true) { Node = SeedNode });
        }

        return guest with { Disks = disks, Boot = await BootAsync(spec, paths, user, terms, ct), Texts = GuestTexts.Write(spec, document, paths, user.User) };
    }

    /// <summary>What KVM is here.</summary>
    /// <exception cref="VmStartException">QEMU is not installed.</exception>
    public Task<AccelerationResult> FindAccelerationAsync(CancellationToken ct) => sources.Acceleration.FindAsync(ct);

    private async Task<QemuAcceleration> AccelerationOfAsync(VirtualMachineSpec spec, CancellationToken ct)
    {
        var found = await FindAccelerationAsync(ct);
        return found.IsKvm || spec.Acceleration == VirtualMachineAcceleration.Preferred
            ? found.Best with { TscKilohertz = !found.IsKvm && spec.Machine == VirtualMachineModel.MicroVm ? await TimeStampCounter.KilohertzAsync(ct) : null }
            : throw new VmNotReadyException(new VmProblem(ReadyReasons.AccelerationMissing, found.Message));
    }

    private static VirtualMachineModel ModelOf(VirtualMachineSpec spec)
    {
        var isArm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        var model = spec.Machine ?? (isArm64 ? VirtualMachineModel.Virt : VirtualMachineModel.Q35);
        return model == VirtualMachineModel.Virt == isArm64 && !(isArm64 && spec.Boot?.Firmware?.Type == VirtualFirmwareType.Bios)
            ? model
            : throw new VmNotReadyException(new VmProblem(
                ReadyReasons.ResourcesMissing, $"this node is {(isArm64 ? "arm64, which has the model virt and UEFI" : "x86-64, which has the models q35 and microvm")}; change machine or boot, or place it on another node"));
    }

    private void CheckNode(QemuGuest guest, long takenBytes)
    {
        var cores = guest.Spec.Cpu?.Count ?? 1;
        if (cores > Environment.ProcessorCount)
        {
            throw Lacks($"{cores} processors are wanted, the node has {Environment.ProcessorCount}");
        }

        var free = SystemFacts.MemoryBytes - new HugePages().TotalBytes - options.SystemReservedBytes - takenBytes;
        if (QemuOverhead.Total(guest) is var needed && needed > free)
        {
            throw Lacks(string.Create(
                CultureInfo.InvariantCulture, $"{needed >> 20} MiB of memory are needed, {QemuOverhead.Of(guest) >> 20} of them for QEMU itself; the node has {Math.Max(free, 0) >> 20} left for machines"));
        }
    }

    private async Task<BaseDisk?> SourceAsync(VirtualDiskSpec disk, VmPaths paths, PullTerms terms, VmSurroundings others, CancellationToken ct)
    {
        // What a disk began from stays, wherever a tag leads by now; only one that is not written to follows it.
        if (!disk.ReadOnly && MachineDisks.Find(paths, disk.Name) is { } known)
        {
            return known.Base;
        }

        if (disk.Url is { } url)
        {
            return await sources.Downloads.EnsureAsync(url, ct);
        }

        if (disk.CloneOf is { } clone)
        {
            using var reading = await others.CloneAsync(clone, ct);
            await reading.WriteAsync(ct);
            await using var copy = RegularFile.OpenRead(reading.Path);
            return await sources.Bases.AddAsync(copy, ct);
        }

        if (disk.Image is not { } source)
        {
            return null;
        }

        var image = await PullAsync(source.Reference, source.PullPolicy, terms, ct);
        await using var file = RegularFile.OpenRead(source.Path is { } path ? ImageFiles.Find(image, path) : ImageFiles.FindDisk(image));
        return await sources.Bases.AddAsync(file, ct);
    }

    private async Task<QemuBoot?> BootAsync(VirtualMachineSpec spec, VmPaths paths, Unprivileged user, PullTerms terms, CancellationToken ct)
    {
        if (spec.Boot?.Kernel is { } kernel)
        {
            var image = await PullAsync(kernel.Image, kernel.ImagePullPolicy, terms, ct);
            var path = await CopyAsync(ImageFiles.Find(image, kernel.Kernel), Path.Combine(paths.DataDirectory, "kernel"), ct);
            var initrd = kernel.Initrd is { } file ? await CopyAsync(ImageFiles.Find(image, file), Path.Combine(paths.DataDirectory, "initrd"), ct) : null;
            return new QemuBoot.Kernel(path, initrd, kernel.CommandLine);
        }

        if (spec.Boot?.Firmware?.Type == VirtualFirmwareType.Bios)
        {
            return null;
        }

        var (code, variables) = QemuPrograms.Uefi;
        if (!File.Exists(paths.Variables))
        {
            var made = paths.Variables + ".new";
            File.Copy(variables, made, overwrite: true);
            File.SetUnixFileMode(made, OwnerFile);
            Ownership.Set(made, user.User, user.User);
            DurableFile.Sync(made);
            File.Move(made, paths.Variables);
        }

        return new QemuBoot.Uefi(code, paths.Variables);
    }

    private Task<StoredImage> PullAsync(string reference, ImagePullPolicy policy, PullTerms terms, CancellationToken ct) =>
        ImageReference.TryParse(reference, out var parsed, out var problem)
            ? sources.Images.EnsureAsync(parsed, policy, terms, ct)
            : throw new DiskRefusedException(DiskRefusedReason.NotInImage, $"{reference} is no image reference: {problem}");

    private static async Task<string> CopyAsync(string from, string to, CancellationToken ct)
    {
        var made = to + ".new";
        await using (var source = RegularFile.OpenRead(from))
        await using (var file = new FileStream(made, FileMode.Create, FileAccess.Write))
        {
            await source.CopyToAsync(file, ct);
        }

        File.SetUnixFileMode(made, Everybody);
        File.Move(made, to, overwrite: true);
        return to;
    }

    private static string? SecretUserData(CloudInitSpec spec, NodeDocument document)
    {
        if (spec.UserDataSecret is not { } named)
        {
            return null;
        }

        return document.Secrets.FirstOrDefault(secret => secret.Name == named.Name)?.Data.GetValueOrDefault(UserDataKey) is { } bytes
            ? Encoding.UTF8.GetString(bytes)
            : throw new VmNotReadyException(new VmProblem(ReadyReasons.ReferenceMissing, $"Secret '{named.Name}' does not exist or has no key '{UserDataKey}'; apply it"));
    }

    private static VmNotReadyException Lacks(string what) => new(new VmProblem(ReadyReasons.ResourcesMissing, $"{what}; give the machine less, or place it on another node"));
}
