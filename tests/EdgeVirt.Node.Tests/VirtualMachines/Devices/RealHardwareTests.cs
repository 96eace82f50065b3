using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.VirtualMachines;
using EdgeVirt.Testing;

namespace EdgeVirt.Node.Tests.VirtualMachines.Devices;

/// <summary>What a Linux guest finds beside its disks and cards.</summary>
[Category("root")]
public sealed class RealHardwareTests
{
    private GuestBoard? board;

    [TearDown]
    public async Task TearDown() => await (board?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task A_guest_reads_SMBIOS_firmware_configuration_and_Ignition_and_no_secret_is_an_argument_or_stays()
    {
        board = await GuestBoard.StartLinuxAsync(
            """
            for f in product_serial product_sku product_family product_version; do echo DMI $f $(bb cat /sys/class/dmi/id/$f); done
            for e in /sys/firmware/dmi/entries/11-*/raw; do echo OEM $(bb strings $e); done
            for f in org.example/site com.coreos/config; do echo FW $f $(bb cat /sys/firmware/qemu_fw_cfg/by_name/opt/$f/raw); done
            echo DONE
            bb sleep 1000
            """);
        board.Agent.Secrets =
        [
            new DesiredSecret
            {
                Name = "seed",
                Data = new Dictionary<string, byte[]> { ["cred"] = "io.systemd.credential:token=hunter2"u8.ToArray(), ["ignition"] = """{"ignition": {"version": "3.4.0"}, "x": "hunter3"}"""u8.ToArray() },
            },
        ];
        await board.DesireAsync(With(spec => spec with
        {
            Smbios = new VirtualSmbiosSpec
            {
                Serial = "SN-1,2", Sku = "sku", Family = "meters", Version = "3",
                OemStrings = [new VirtualText { Value = "io.systemd.credential:site=oslo" }, new VirtualText { ValueFrom = new EnvVarSource { SecretKeyRef = new KeyRef { Name = "seed", Key = "cred" } } }],
            },
            FirmwareConfig = [new FirmwareConfigSpec { Name = "opt/org.example/site", Value = "harbour, pier 4" }],
            Ignition = new IgnitionSpec { ConfigSecret = new LocalObjectReference { Name = "seed" } },
        }));
        var said = await board.UntilSaidAsync("DONE");
        Assert.That(said, Does.Contain("DMI product_serial SN-1,2").And.Contain("DMI product_sku sku").And.Contain("DMI product_family meters").And.Contain("DMI product_version 3"));
        Assert.That(said, Does.Contain("io.systemd.credential:site=oslo").And.Contain("io.systemd.credential:token=hunter2"));
        Assert.That(said, Does.Contain("FW org.example/site harbour, pier 4").And.Contain("hunter3"));
        var run = board.Agent.Records.All.Single().Run!;
        Assert.That(string.Join(' ', Processes.ArgumentsOf(run.Pid)), Does.Contain("-fw_cfg").And.Not.Contain("hunter"));
        Assert.That(Directory.Exists(board.Paths.Texts), Is.False, "QEMU has read them");
    }

    [Test]
    public async Task What_a_Secret_lacks_or_holds_wrongly_is_refused_before_anything_starts()
    {
        board = await GuestBoard.StartLinuxAsync("bb sleep 1000");
        await board.DesireAsync(With(spec => spec with { Ignition = new IgnitionSpec { ConfigSecret = new LocalObjectReference { Name = "seed" } } }));
        await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.ReferenceMissing));
        board.Agent.Secrets = [new DesiredSecret { Name = "seed", Data = new Dictionary<string, byte[]> { ["ignition"] = "variant: fcos, pw: hunter2"u8.ToArray() } }];
        await board.DesireAsync(With(spec => spec with { Ignition = new IgnitionSpec { ConfigSecret = new LocalObjectReference { Name = "seed" } } }, generation: 2));
        var status = await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.StartFailed));
        Assert.That(status.Conditions[0].Message, Does.Contain("butane").And.Not.Contain("hunter2"));
        Assert.That(board.Agent.Records.All.Single().Run, Is.Null);
    }

    // Debian's kernel for clouds has no driver for it: the guest does by hand what that would (Intel 6300ESB, 16.5 and 16.8).
    private const string StarveWatchdog =
        """
        for d in /sys/bus/pci/devices/*; do [ $(bb cat $d/device) = 0x25ab ] && w=$d; done
        echo 1 >$w/enable
        set -- $(bb head -n 1 $w/resource)
        for timer in 0 4; do
          bb devmem $(($1 + 12)) 16 0x80; bb devmem $(($1 + 12)) 16 0x86; bb devmem $(($1 + timer)) 32 200
        done
        echo STARVING
        printf '\002' | bb dd of=$w/config bs=1 seek=104 conv=notrunc 2>/dev/null
        bb sleep 1000
        """;

    [Test]
    public async Task A_watchdog_that_is_not_fed_resets_the_guest_and_the_status_says_so_also_after_the_agent_came_back()
    {
        board = await GuestBoard.StartLinuxAsync(StarveWatchdog);
        await board.DesireAsync(With(spec => spec with { Watchdog = new VirtualWatchdogSpec() }));
        var status = await board.Agent.UntilAsync("router", now => now.ResetCount > 0);
        Assert.That((status.State, status.RestartCount, status.LastReset?.Reason), Is.EqualTo((VirtualMachineState.Running, 0, VmExits.WatchdogExpired)));
        Assert.That(status.LastReset!.At, Is.GreaterThanOrEqualTo(status.StartedAt!.Value));
        await board.RestartAsync();
        Assert.That((await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running)).ResetCount, Is.GreaterThanOrEqualTo(status.ResetCount));
    }

    [Test]
    public async Task A_watchdog_that_cuts_the_power_ends_the_run_with_the_reason()
    {
        board = await GuestBoard.StartLinuxAsync(StarveWatchdog);
        await board.DesireAsync(With(spec => spec with { Watchdog = new VirtualWatchdogSpec { Action = VirtualWatchdogAction.Poweroff } }));
        var status = await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Stopped);
        Assert.That((status.LastExit!.Reason, status.LastExit.Code), Is.EqualTo((VmExits.WatchdogExpired, 1)));
        Assert.That(status.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.Failed));
    }

    [Test]
    public async Task A_watchdog_that_pauses_leaves_the_guest_to_be_looked_at()
    {
        board = await GuestBoard.StartLinuxAsync(StarveWatchdog);
        VirtualMachineSpec Pausing(VirtualMachineSpec spec) => spec with { Watchdog = new VirtualWatchdogSpec { Action = VirtualWatchdogAction.Pause } };
        await board.DesireAsync(With(Pausing));
        var status = await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.False, ReadyReasons.WatchdogExpired));
        Assert.That(status.State, Is.EqualTo(VirtualMachineState.Paused));
        await board.DesireAsync(With(spec => Pausing(spec) with { Power = VirtualMachinePower.Paused }, generation: 2));
        await board.Agent.UntilAsync("router", now => now.Conditions.Is(ConditionTypes.Ready, ConditionStatus.True, ReadyReasons.Paused));
    }

    // TPM2_NV_Read, TPM2_NV_DefineSpace and TPM2_NV_Write (Trusted Platform Module Library, part 3) of the index 0x01500016, by its owner with an empty password.
    private const string KeepInTpm =
        """
        exec 3<>/dev/tpm0
        ask() { printf "$1" >&3; echo $2 $(bb dd bs=4096 count=1 <&3 2>/dev/null | bb xxd -p | bb tr -d '\n'); }
        auth='\x00\x00\x00\x09\x40\x00\x00\x09\x00\x00\x00\x00\x00'
        index='\x01\x50\x00\x16'
        echo VERSION $(bb cat /sys/class/tpm/tpm0/tpm_version_major)
        ask "\x80\x02\x00\x00\x00\x23\x00\x00\x01\x4e\x40\x00\x00\x01$index$auth\x00\x08\x00\x00" READ
        ask "\x80\x02\x00\x00\x00\x2d\x00\x00\x01\x2a\x40\x00\x00\x01$auth\x00\x00\x00\x0e$index\x00\x0b\x02\x06\x00\x06\x00\x00\x00\x08" DEFINE
        ask "\x80\x02\x00\x00\x00\x2b\x00\x00\x01\x37\x40\x00\x00\x01$index$auth\x00\x08edgevirt\x00\x00" WRITE
        echo DONE
        bb sleep 1000
        """;

    private const string Edgevirt = "6564676576697274";

    [TestCase(null)]
    [TestCase(VirtualTpmModel.Tis)]
    public async Task A_guest_has_a_TPM_that_keeps_what_it_is_given_over_restarts_and_goes_with_the_machine(VirtualTpmModel? model)
    {
        board = await GuestBoard.StartLinuxAsync(KeepInTpm);
        VirtualMachineSpec Tpm(VirtualMachineSpec spec) => spec with { Tpm = new VirtualTpmSpec { Model = model } };
        await board.DesireAsync(With(Tpm));
        var said = await board.UntilSaidAsync("DONE");
        Assert.That(said, Does.Contain("VERSION 2").And.Match("READ 8001[0-9a-f]+").And.Match("WRITE 8002[0-9a-f]{8}00000000").And.Not.Match($"READ.*{Edgevirt}"));
        var record = board.Agent.Records.All.Single();
        var swtpm = record.Run!.Tpm!;
        Assert.That(File.ReadAllLines($"/proc/{swtpm.Pid}/status"), Does.Contain($"Uid:\t{record.User}\t{record.User}\t{record.User}\t{record.User}").And.Contain("CapBnd:\t0000000000000000"));
        Assert.That(Processes.IsInCgroup(swtpm.Pid, board.Agent.Tools.CgroupOf(record)));

        await board.RestartAsync();
        await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running);
        Assert.That((board.Agent.Records.All.Single().Run!.Tpm, Processes.IsAlive(swtpm)), Is.EqualTo((swtpm, true)), "goes on over the agent's restart");

        await board.DesireAsync(With(spec => Tpm(spec) with { Power = VirtualMachinePower.Stopped }, generation: 2));
        await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Stopped);
        Assert.That(Processes.IsAlive(swtpm), Is.False, "ends with QEMU");
        File.WriteAllText(board.Paths.ConsoleLog, "");
        await board.DesireAsync(With(Tpm, generation: 3));
        await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running);
        Assert.That(await board.UntilSaidAsync("DONE"), Does.Match($"READ 8002.*{Edgevirt}"));

        var (paths, last) = (board.Paths, board.Agent.Records.All.Single().Run!.Tpm!);
        Assert.That(Directory.GetFiles(paths.TpmState), Is.Not.Empty);
        await board.DesireAsync();
        await board.Agent.UntilGoneAsync("router");
        Assert.That((Directory.Exists(paths.TpmState), Processes.IsAlive(last)), Is.EqualTo((false, false)));
    }

    [Test]
    public async Task A_machine_whose_TPM_dies_is_started_again_with_the_reason()
    {
        board = await GuestBoard.StartLinuxAsync("bb sleep 1000");
        await board.DesireAsync(With(spec => spec with { Tpm = new VirtualTpmSpec(), RestartPolicy = RestartPolicy.Always }));
        await board.Agent.UntilAsync("router", now => now.State == VirtualMachineState.Running);
        var swtpm = board.Agent.Records.All.Single().Run!.Tpm!;
        Command.Run("kill", "-KILL", $"{swtpm.Pid}");
        var status = await board.Agent.UntilAsync("router", now => now is { State: VirtualMachineState.Running, RestartCount: 1 });
        Assert.That(status.LastExit!.Reason, Is.EqualTo(VmExits.TpmLost));
        Assert.That(board.Agent.Records.All.Single().Run!.Tpm, Is.Not.EqualTo(swtpm));
    }

    private static DesiredVirtualMachine With(Func<VirtualMachineSpec, VirtualMachineSpec> change, long generation = 1) =>
        GuestBoard.Machine(with: spec => change(spec with { RestartPolicy = RestartPolicy.Never, Display = new VirtualDisplaySpec { Type = VirtualDisplayType.None } }), generation: generation);
}
