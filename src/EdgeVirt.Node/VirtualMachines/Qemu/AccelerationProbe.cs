using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>What a node's KVM was found to be.</summary>
/// <param name="CpuModel">The processor that guests get under KVM; null: there is no KVM that can be used.</param>
/// <param name="Reason">See <see cref="AcceleratedReasons"/>.</param>
/// <param name="Message">A sentence.</param>
internal sealed record AccelerationResult(string? CpuModel, string Reason, string Message)
{
    [JsonIgnore]
    public bool IsKvm => CpuModel is not null;

    /// <summary>What guests get.</summary>
    [JsonIgnore]
    public QemuAcceleration Best => CpuModel is { } model ? new QemuAcceleration(Kvm: true, model) : QemuAcceleration.Emulated;
}

/// <summary>A result and the boot that it holds for.</summary>
/// <param name="BootId">The boot.</param>
/// <param name="Result">The result.</param>
/// <param name="IsSettled">False: the guest only was too slow, which may change.</param>
internal sealed record KeptAcceleration(string BootId, AccelerationResult Result, bool IsSettled = true);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(KeptAcceleration))]
internal sealed partial class AccelerationJson : JsonSerializerContext;

/// <summary>
/// Finds out whether KVM runs guests at the processor's own speed, by running one with the processor model that virtual
/// machines get. That the device exists proves nothing, and neither does a guest of a few instructions. Asked once a boot, unless the guest only was
/// too slow: a board that has just started, or is busy, is asked again later. Safe for use by several threads.
/// </summary>
internal sealed class AccelerationProbe(NodeOptions options, TimeProvider? time = null) : IDisposable
{
    private const string TooSlow = "the test guest did not finish";
    private const string Remedy = "; virtual machines with acceleration: Preferred are emulated, which is many times slower";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly string kept = Path.Combine(options.RunDir, "acceleration.json");
    private readonly TimeProvider time = time ?? TimeProvider.System;
    private AccelerationResult? result;
    private TimeSpan wait = TimeSpan.FromMinutes(1);
    private long askedAt;
    private bool isSettled = true;

    private static bool IsArm64 => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>What was found, now or earlier in this boot.</summary>
    /// <exception cref="VmStartException">QEMU is not installed, or does not come to its files. Nothing is known then.</exception>
    public async Task<AccelerationResult> FindAsync(CancellationToken ct)
    {
        await gate.WaitAsync(ct);
        try
        {
            if (!isSettled && result is not null && time.GetElapsedTime(askedAt) >= wait)
            {
                result = await ProveAsync(ct);
                wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
            }

            // A module that is loaded later makes the device appear.
            return !KvmDevice.IsThere
                ? new AccelerationResult(null, AcceleratedReasons.KvmMissing, "the node has no /dev/kvm: its processor or firmware has virtualisation off, or its kernel lacks KVM" + Remedy)
                : result ??= Kept() ?? await ProveAsync(ct);
        }
        finally
        {
            gate.Release();
        }
    }

    public void Dispose() => gate.Dispose();

    /// <summary>Runs one guest.</summary>
    /// <param name="accelerator">QEMU's word.</param>
    /// <param name="cpuModel">QEMU's word.</param>
    /// <param name="guest">See <see cref="ProbeGuest"/>.</param>
    /// <param name="ct">Kills it.</param>
    /// <returns>Null: it came to its end in time. Else a sentence without its subject.</returns>
    internal async Task<string?> RunAsync(string accelerator, string cpuModel, byte[] guest, CancellationToken ct)
    {
        var directory = Path.Combine(options.RunDir, "vm");
        Directory.CreateDirectory(directory);
        var file = Path.Combine(directory, "probe");
        await File.WriteAllBytesAsync(file, guest, ct);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        try
        {
            var user = accelerator == "kvm" ? Unprivileged.Inspector with { DeviceGroup = KvmDevice.Group() } : Unprivileged.Inspector;
            // A QEMU that aborts, as some do over a processor model, leaves no image of its memory.
            IReadOnlyList<string> limited = ["--core=0", "--", QemuPrograms.Qemu, .. Arguments(accelerator, cpuModel, file)];
            var ended = await ProcessRunner.RunAsync(QemuPrograms.SetPriv, user.SetPriv(QemuPrograms.PrLimit, limited), Limit, ct: ct, check: false);
            if (ended.ExitCode == (IsArm64 ? 0 : ProbeGuest.ExitCodeX64))
            {
                return null;
            }

            var said = ended.Error.Trim().Split('\n')[^1];
            return string.Create(CultureInfo.InvariantCulture, $"QEMU ended with exit code {ended.ExitCode}{(said.Length > 0 ? $" ({said})" : "")}");
        }
        catch (ProcessFailedException e) when (e.ExitCode is null && e.InnerException is OperationCanceledException)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{TooSlow} {ProbeGuest.Steps:N0} steps within {Limit.TotalSeconds:0} s");
        }
        catch (IOException e)
        {
            return e.Message;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static IReadOnlyList<string> Arguments(string accelerator, string cpuModel, string file)
    {
        IReadOnlyList<string> common =
        [
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-accel", accelerator, "-cpu", cpuModel, "-m", "64",
        ];
        return IsArm64
            ? [.. common, "-machine", accelerator == "kvm" ? "virt,gic-version=host" : "virt,gic-version=3", "-kernel", file]
            : [.. common, "-machine", "q35", "-bios", file, "-device", "isa-debug-exit,iobase=0xf4,iosize=1"];
    }

    private async Task<AccelerationResult> ProveAsync(CancellationToken ct)
    {
        // Else it would be held against KVM.
        Passage.Require(options.RunDir);
        var guest = IsArm64 ? ProbeGuest.KernelArm64() : ProbeGuest.RomX64();
        List<string> failures = [];
        // A kernel without all of the processor's features may still run a plain one.
        foreach (var model in (string[])(IsArm64 ? ["host"] : ["host", "qemu64"]))
        {
            if (await RunAsync("kvm", model, guest, ct) is not { } failure)
            {
                isSettled = true;
                return Keep(new AccelerationResult(model, AcceleratedReasons.Accelerated, $"a test guest ran to its end under KVM with CPU model {model}"));
            }

            failures.Add($"with CPU model {model} {failure}");
        }

        var unproven = new AccelerationResult(null, AcceleratedReasons.KvmUnproven, $"/dev/kvm is there, but {string.Join(", ", failures)}{Remedy}");
        (askedAt, isSettled) = (time.GetTimestamp(), !failures.Any(failure => failure.Contains(TooSlow, StringComparison.Ordinal)));
        return Keep(unproven);
    }

    private AccelerationResult? Kept()
    {
        try
        {
            if (File.Exists(kept) && JsonSerializer.Deserialize(File.ReadAllBytes(kept), AccelerationJson.Default.KeptAcceleration) is { } found && found.BootId == SystemFacts.BootId)
            {
                (askedAt, isSettled) = (time.GetTimestamp(), found.IsSettled);
                return found.Result;
            }

            return null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return null;
        }
    }

    private AccelerationResult Keep(AccelerationResult found)
    {
        if (SystemFacts.BootId is { } boot)
        {
            var bytes = JsonSerializer.SerializeToUtf8Bytes(new KeptAcceleration(boot, found, isSettled), AccelerationJson.Default.KeptAcceleration);
            DurableFile.Replace(kept, bytes, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return found;
    }
}
