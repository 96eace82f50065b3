using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Oci;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class AppArmorTests
{
    private static readonly RuntimeFeatures With = new([], HasSeccomp: true, new HashSet<string>(), "amd64") { HasAppArmor = true };

    [Test]
    public void What_the_container_says_wins_over_the_workload()
    {
        Assert.That(AppArmor.ProfileOf(null, new PodSecurityContext { AppArmorProfile = Localhost("all") }), Is.EqualTo("all"));
        Assert.That(AppArmor.ProfileOf(new SecurityContext { AppArmorProfile = Localhost("own") }, new PodSecurityContext { AppArmorProfile = Localhost("all") }), Is.EqualTo("own"));
        Assert.That(AppArmor.ProfileOf(new SecurityContext { AppArmorProfile = new AppArmorProfile { Type = AppArmorProfileType.Unconfined } }, new PodSecurityContext { AppArmorProfile = Localhost("all") }), Is.Null);
        Assert.That(AppArmor.ProfileOf(null, null), Is.Null);
    }

    [Test]
    public void A_profile_is_given_where_it_is_loaded_and_refused_where_it_is_not()
    {
        Assert.That(AppArmor.Require("own", With, _ => true), Is.EqualTo("own"));
        Assert.That(AppArmor.Require("own", With, _ => null), Is.EqualTo("own"), "the runtime will know");
        Assert.That(() => AppArmor.Require("own", With, _ => false), Throws.InstanceOf<StartFailedException>().With.Message.Contains("apparmor_parser"));
        Assert.That(AppArmor.Require("own", With with { HasAppArmor = false }, _ => false), Is.Null, "the condition says so");
        Assert.That(AppArmor.Require(null, With, _ => false), Is.Null);
    }

    [Test]
    public void The_condition_is_for_those_who_asked()
    {
        var pod = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "r.local/x:1" }] };
        Assert.That(AppArmor.IsWanted(pod), Is.False);
        Assert.That(AppArmor.IsWanted(pod with { SecurityContext = new PodSecurityContext { AppArmorProfile = Localhost("all") } }), Is.True);
        Assert.That(AppArmor.Missing.Message, Does.Contain("appArmorProfile"));
    }

    [Test]
    public void The_specifications_word_is_written() => Assert.That(
        JsonSerializer.Serialize(
            new SpecProcess { User = new SpecUser(0, 0, []), Args = [], Env = [], Cwd = "/", Capabilities = new SpecCapabilities([], [], []), ApparmorProfile = "own" }, RuntimeSpecJson.Default.SpecProcess),
        Does.Contain("\"apparmorProfile\":\"own\""));

    private static AppArmorProfile Localhost(string name) => new() { Type = AppArmorProfileType.Localhost, LocalhostProfile = name };
}
