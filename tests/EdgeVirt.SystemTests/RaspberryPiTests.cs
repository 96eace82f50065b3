using EdgeVirt.Contracts.Resources;
using EdgeVirt.Testing;
using EdgeVirt.Testing.Boards;
using NodeImage = EdgeVirt.Testing.Boards.NodeImage;

namespace EdgeVirt.SystemTests;

/// <summary>
/// The image of the Raspberry Pi 4 on QEMU's, as far as that goes: kernel, device tree and initial file system of its slot find the card on USB, prove its root,
/// make the data partition, and the board enrolls by the token on its card. What the Pi's own firmware does with the card is not tested.
/// </summary>
[Category("emulated")]
public sealed class RaspberryPiTests
{
    private const string Node = "bergen-4";

    // Four emulated processors with USB for everything.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);

    [Test]
    public async Task Enrolls_from_a_flashed_card()
    {
        if (EmulatedBoard.Obstacle is { } obstacle)
        {
            Assert.Ignore(obstacle);
        }

        using var directory = new TempDirectory();
        await using var fleet = await Fleet.StartAsync(nodes: 0);
        await using var board = EmulatedBoard.CreateRaspberryPi4(NodeImage.Of("rpi4").Slot, directory.Combine("rpi4.img"), fleet.Network, 97);
        Card.Flash(fleet, board, "rpi4", Node);
        board.PowerOn();
        var status = await HubApi.WaitForAsync(
            "the board to be a Ready node",
            () => fleet.NodeStatusAsync(Node),
            now => now.Is("Ready", ConditionStatus.True) && now.Image is not null,
            now => now.ToString() + board.Describe(),
            Patience);
        // The slot is told by the Pi's firmware, which is not there.
        Assert.That(status.Image?.Id, Is.EqualTo("edgevirt-rpi4"));
    }
}
