using System.Text.Json;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Linux;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Oci;
using EdgeVirt.Testing;
using Microsoft.Extensions.Logging.Abstractions;

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
    public void The_default_is_for_all_who_do_not_say_otherwise_and_are_not_privileged()
    {
        var (unconfined, runtimeDefault) = (new AppArmorProfile { Type = AppArmorProfileType.Unconfined }, new AppArmorProfile { Type = AppArmorProfileType.RuntimeDefault });
        Assert.That(AppArmor.ProfileOf(null, null, "d"), Is.EqualTo("d"));
        Assert.That(AppArmor.ProfileOf(null, new PodSecurityContext { AppArmorProfile = runtimeDefault }, "d"), Is.EqualTo("d"));
        Assert.That(AppArmor.ProfileOf(null, new PodSecurityContext { AppArmorProfile = unconfined }, "d"), Is.Null);
        Assert.That(AppArmor.ProfileOf(new SecurityContext { AppArmorProfile = runtimeDefault }, new PodSecurityContext { AppArmorProfile = unconfined }, "d"), Is.EqualTo("d"));
        Assert.That(AppArmor.ProfileOf(new SecurityContext { Privileged = true }, new PodSecurityContext { AppArmorProfile = runtimeDefault }, "d"), Is.Null);
        Assert.That(AppArmor.ProfileOf(new SecurityContext { AppArmorProfile = Localhost("own") }, null, "d"), Is.EqualTo("own"));
        Assert.That(AppArmor.ProfileOf(null, new PodSecurityContext { AppArmorProfile = runtimeDefault }), Is.Null, "there is none here");
    }

    [Test]
    public void Only_who_asked_for_the_default_is_told_that_it_cannot_be_had()
    {
        var silent = new PodSpec { Containers = [new ContainerSpec { Name = "main", Image = "r.local/x:1" }] };
        var asks = silent with { SecurityContext = new PodSecurityContext { AppArmorProfile = new AppArmorProfile { Type = AppArmorProfileType.RuntimeDefault } } };
        Assert.That(AppArmor.ConditionOf(silent, hasAppArmor: false, null), Is.Null);
        Assert.That(AppArmor.ConditionOf(asks, hasAppArmor: false, null), Is.EqualTo(AppArmor.Missing));
        Assert.That(AppArmor.ConditionOf(asks, hasAppArmor: true, null), Is.Null);
        Assert.That(AppArmor.ConditionOf(silent, hasAppArmor: true, "no parser"), Is.Null);
        Assert.That(AppArmor.ConditionOf(asks, hasAppArmor: true, "no parser"), Has.Property("Reason").EqualTo(AppArmorEnforcedReasons.ProfileNotLoaded).And.Property("Message").Contains("no parser"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task The_default_is_loaded_once_and_only_where_the_kernel_does_not_have_it(bool isTold)
    {
        var loads = new List<string>();
        var fresh = new DefaultAppArmorProfile(_ => isTold ? loads.Count > 0 : null, (text, _) => { loads.Add(text); return Task.CompletedTask; }, NullLogger.Instance);
        Assert.That(await fresh.EnsureAsync(default), Is.True);
        Assert.That(await fresh.EnsureAsync(default), Is.True);
        Assert.That(loads, Is.EqualTo([DefaultAppArmorProfile.Text]));
        var known = new DefaultAppArmorProfile(name => name == DefaultAppArmorProfile.Name, (_, _) => throw new AssertionException("loaded again"), NullLogger.Instance);
        Assert.That(await known.EnsureAsync(default), Is.True);
        loads.Clear();
        Assert.That(await fresh.EnsureAsync(default), Is.True);
        Assert.That(loads, Has.Count.EqualTo(isTold ? 1 : 0), "somebody unloaded it");
    }

    [Test]
    public async Task Where_it_cannot_be_loaded_it_says_why_and_is_tried_again()
    {
        var fails = true;
        var profile = new DefaultAppArmorProfile(_ => null, (_, _) => fails ? throw new ProcessFailedException("apparmor_parser", "could not be started") : Task.CompletedTask, NullLogger.Instance);
        Assert.That(await profile.EnsureAsync(default), Is.False);
        Assert.That(profile.Problem, Does.Contain("apparmor_parser"));
        fails = false;
        Assert.That(await profile.EnsureAsync(default), Is.True);
        Assert.That(profile.Problem, Is.Null);
    }

    [Test]
    public async Task The_default_is_understood_by_the_parser()
    {
        using var directory = new TempDirectory();
        var file = directory.Combine("profile");
        await File.WriteAllTextAsync(file, DefaultAppArmorProfile.Text);
        Assert.That(DefaultAppArmorProfile.Text, Does.StartWith($"profile {DefaultAppArmorProfile.Name} "));
        ProcessResult said;
        try
        {
            said = await ProcessRunner.RunAsync("apparmor_parser", ["--skip-kernel-load", "--skip-cache", file], TimeSpan.FromSeconds(60), check: false);
        }
        catch (ProcessFailedException)
        {
            Assert.Ignore("install apparmor: without its parser nothing checks the profile");
            return;
        }

        Assert.That(said.ExitCode, Is.Zero, said.Error);
    }

    [Test]
    public void The_specifications_word_is_written() => Assert.That(
        JsonSerializer.Serialize(
            new SpecProcess { User = new SpecUser(0, 0, []), Args = [], Env = [], Cwd = "/", Capabilities = new SpecCapabilities([], [], []), ApparmorProfile = "own" }, RuntimeSpecJson.Default.SpecProcess),
        Does.Contain("\"apparmorProfile\":\"own\""));

    private static AppArmorProfile Localhost(string name) => new() { Type = AppArmorProfileType.Localhost, LocalhostProfile = name };
}
