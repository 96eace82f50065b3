using System.Buffers.Binary;

namespace EdgeVirt.Node.VirtualMachines.Qemu;

/// <summary>
/// Tiny guests that prove what runs them. Each does what a kernel does first and then counts down, which takes a processor a
/// fraction of a second, and an interpreter of its instructions minutes: there are kernels whose /dev/kvm is one.
/// </summary>
internal static class ProbeGuest
{
    /// <summary>How far it counts.</summary>
    public const int Steps = 100_000_000;

    /// <summary>The exit code of a QEMU whose x86-64 guest came to its end: 42 by isa-debug-exit, which doubles it and adds one.</summary>
    public const int ExitCodeX64 = 85;

    private const int RomSize = 64 << 10;
    private const int StepsAtX64 = 0x69;

    // Where an x86-64 processor begins, 16 bytes below the end of the ROM: jmp 0xF000:0x0000.
    private const int ResetVector = RomSize - 16;
    private static readonly byte[] Reset = [0xEA, 0x00, 0x00, 0x00, 0xF0];

    // Begins in the ROM at 0xF0000, copies itself to 0x8000 (its addresses are those) and enters long mode with a page
    // table of one page of 2 MiB, as Linux does; then it counts down and writes 42 to port 0xF4.
    private static readonly byte[] X64 =
    [
        0xFA,                                            // 00  cli
        0xFC,                                            // 01  cld
        0x31, 0xC0,                                      // 02  xor ax, ax
        0x8E, 0xC0,                                      // 04  mov es, ax
        0xBF, 0x00, 0x10,                                // 06  mov di, 0x1000
        0xB9, 0x00, 0x18,                                // 09  mov cx, 0x1800
        0xF3, 0xAB,                                      // 0C  rep stosw
        0x8C, 0xC8,                                      // 0E  mov ax, cs
        0x8E, 0xD8,                                      // 10  mov ds, ax
        0x31, 0xF6,                                      // 12  xor si, si
        0xBF, 0x00, 0x80,                                // 14  mov di, 0x8000
        0xB9, 0x00, 0x01,                                // 17  mov cx, 0x100
        0xF3, 0xA4,                                      // 1A  rep movsb
        0xEA, 0x21, 0x80, 0x00, 0x00,                    // 1C  jmp 0x0000:ram
                                                         //   ram:
        0x31, 0xC0,                                      // 21  xor ax, ax
        0x8E, 0xD8,                                      // 23  mov ds, ax
        0xC7, 0x06, 0x00, 0x10, 0x03, 0x20,              // 25  mov word [0x1000], 0x2003
        0xC7, 0x06, 0x00, 0x20, 0x03, 0x30,              // 2B  mov word [0x2000], 0x3003
        0xC6, 0x06, 0x00, 0x30, 0x83,                    // 31  mov byte [0x3000], 0x83
        0x0F, 0x01, 0x16, 0x78, 0x80,                    // 36  lgdt [gdtr]
        0x66, 0xB8, 0x20, 0x00, 0x00, 0x00,              // 3B  mov eax, 0x20
        0x0F, 0x22, 0xE0,                                // 41  mov cr4, eax
        0x66, 0xB8, 0x00, 0x10, 0x00, 0x00,              // 44  mov eax, 0x1000
        0x0F, 0x22, 0xD8,                                // 4A  mov cr3, eax
        0x66, 0xB9, 0x80, 0x00, 0x00, 0xC0,              // 4D  mov ecx, 0xc0000080
        0x0F, 0x32,                                      // 53  rdmsr
        0x0D, 0x00, 0x01,                                // 55  or ax, 0x100
        0x0F, 0x30,                                      // 58  wrmsr
        0x66, 0xB8, 0x11, 0x00, 0x00, 0x80,              // 5A  mov eax, 0x80000011
        0x0F, 0x22, 0xC0,                                // 60  mov cr0, eax
        0xEA, 0x68, 0x80, 0x08, 0x00,                    // 63  jmp 0x08:longmode
                                                         //   longmode:
        0xB9, 0x00, 0xE1, 0xF5, 0x05,                    // 68  mov ecx, 100000000
                                                         //   again:
        0xFF, 0xC9,                                      // 6D  dec ecx
        0x75, 0xFC,                                      // 6F  jnz again
        0xB0, 0x2A,                                      // 71  mov al, 0x2a
        0xE6, 0xF4,                                      // 73  out 0xf4, al
                                                         //   stop:
        0xF4,                                            // 75  hlt
        0xEB, 0xFD,                                      // 76  jmp stop
        0x0F, 0x00,                                      // 78  gdtr: dw 15
        0x7E, 0x80, 0x00, 0x00,                          // 7A  dd gdt
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // 7E  gdt: dq 0
        0x00, 0x00, 0x00, 0x00, 0x00, 0x9A, 0x20, 0x00,  // 86  dq 0x00209a0000000000
    ];

    // QEMU loads it as it does a kernel that has no header, at exception level 1 and without an MMU; it ends by PSCI's SYSTEM_OFF.
    private static readonly uint[] Arm64 =
    [
        0xD2A0_BEA0, // 00  movz x0, #0x05f5, lsl #16
        0xF29C_2000, // 04  movk x0, #0xe100          (100,000,000)
        0xF100_0400, // 08  subs x0, x0, #1
        0x54FF_FFE1, // 0C  b.ne 0x08
        0xD2B0_8000, // 10  movz x0, #0x8400, lsl #16
        0xF280_0100, // 14  movk x0, #0x0008          (SYSTEM_OFF)
        0xD400_0002, // 18  hvc  #0
        0xD503_207F, // 1C  wfi
        0x17FF_FFFF, // 20  b    0x1C
    ];

    /// <summary>The x86-64 guest, in place of QEMU's BIOS.</summary>
    /// <param name="steps">How far it counts; other than <see cref="Steps"/> only in tests.</param>
    public static byte[] RomX64(int steps = Steps)
    {
        var rom = new byte[RomSize];
        rom.AsSpan().Fill(0xFF);
        X64.CopyTo(rom, 0);
        BinaryPrimitives.WriteInt32LittleEndian(rom.AsSpan(StepsAtX64), steps);
        Reset.CopyTo(rom, ResetVector);
        return rom;
    }

    /// <summary>The arm64 guest, in place of a kernel.</summary>
    public static byte[] KernelArm64()
    {
        var kernel = new byte[Arm64.Length * sizeof(uint)];
        for (var i = 0; i < Arm64.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(i * sizeof(uint)), Arm64[i]);
        }

        return kernel;
    }
}
