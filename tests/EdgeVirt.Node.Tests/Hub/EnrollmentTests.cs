using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Hub;

namespace EdgeVirt.Node.Tests.Hub;

public sealed class EnrollmentTests
{
    private FakeHub hub = null!;

    [SetUp]
    public async Task SetUp() => hub = await FakeHub.StartAsync();

    [TearDown]
    public async Task TearDown() => await hub.DisposeAsync();

    [Test]
    public async Task Becomes_a_node_by_its_token_and_removes_the_file()
    {
        await using var node = new NodeFixture(hub, hub.NewToken().Reveal());
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Get<MqttLink>().IsConnected, "the link");
        Assert.Multiple(() =>
        {
            Assert.That(node.Identities.Current!.Node, Is.EqualTo("node-1"));
            Assert.That(File.Exists(node.TokenFile), Is.False);
            Assert.That(hub.Clients, Does.Contain("node-1"));
        });
        foreach (var name in new[] { "node.key", "node.crt", "ca.crt", "identity.json" })
        {
            Assert.That(File.GetUnixFileMode(Path.Combine(node.Options.IdentityDirectory, name)), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }
    }

    [Test]
    public async Task Remembers_its_identity_across_a_restart()
    {
        var directory = Directory.CreateTempSubdirectory("edgevirt-hub-").FullName;
        try
        {
            await using (var node = new NodeFixture(hub, directory: directory))
            {
                await node.Get<Enrollment>().EnrollAsync(Address(), hub.NewToken(), "oslo-1", default);
            }

            await using var again = new NodeFixture(hub, directory: directory);
            await again.StartAsync();
            await Eventually.HoldsAsync(() => again.Get<MqttLink>().IsConnected, "the link");
            Assert.That(again.Identities.Current!.Node, Is.EqualTo("oslo-1"));
            Assert.That(hub.Enrollments, Is.EqualTo(1));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public async Task A_power_cut_between_the_hubs_answer_and_the_identity_costs_no_token()
    {
        var directory = Directory.CreateTempSubdirectory("edgevirt-hub-").FullName;
        try
        {
            hub.LosesAnswers = true;
            await using (var node = new NodeFixture(hub, hub.NewToken().Reveal(), directory))
            {
                await node.StartAsync();
                await Eventually.HoldsAsync(() => hub.Enrollments > 0, "the hub's answer");
                Assert.That((node.Identities.Current, File.Exists(node.TokenFile)), Is.EqualTo(((Identity?)null, true)));
            }

            hub.LosesAnswers = false;
            await using var again = new NodeFixture(hub, directory: directory);
            await again.StartAsync();
            await Eventually.HoldsAsync(() => again.Get<MqttLink>().IsConnected, "the link");
            Assert.That(hub.Users, Has.Count.EqualTo(1), "one token, one key");
            Assert.That(File.Exists(again.TokenFile), Is.False);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public async Task Names_a_refused_token_once_and_goes_on()
    {
        var wrong = ClaimToken.Create("test", hub.Authority.RawData);
        await using var node = new NodeFixture(hub, wrong.Reveal());
        await node.StartAsync();
        await Eventually.HoldsAsync(() => node.Conditions.Read().Any(condition => condition.Reason == EnrolledReasons.TokenRefused), "the condition");
        Assert.That(node.Log.Lines.Count(line => line.Contains("refused claim token evc1.test.***")), Is.EqualTo(1));
        Assert.That(node.Log.Lines, Has.None.Contains(wrong.Reveal()), "no secret in the log");

        await File.WriteAllTextAsync(node.TokenFile, hub.NewToken().Reveal());
        await Eventually.HoldsAsync(() => node.Identities.Current is not null, "a new token is tried soon");
    }

    [Test]
    public async Task Shows_its_token_to_no_hub_but_the_one_it_pins()
    {
        await using var other = await FakeHub.StartAsync();
        await using var node = new NodeFixture(hub);
        Assert.That(
            async () => await node.Get<Enrollment>().EnrollAsync(Address(), other.NewToken(), null, default),
            Throws.TypeOf<HubRefusedException>().With.Message.Contains("is not the hub"));
        Assert.That(hub.Enrollments, Is.Zero);
    }

    [Test]
    public async Task Believes_no_server_whose_certificate_is_for_another_name()
    {
        await using var misnamed = await FakeHub.StartAsync("other.example.com");
        await using var node = new NodeFixture(misnamed);
        Assert.That(HubAddress.TryParse(misnamed.Address, out var address));
        Assert.That(
            async () => await node.Get<Enrollment>().EnrollAsync(address, misnamed.NewToken(), null, default),
            Throws.TypeOf<HubUnavailableException>().With.Message.Contains("--advertise localhost"));
        Assert.That(misnamed.Enrollments, Is.Zero);
    }

    [TestCase(20, 10, false, TestName = "Leaves_a_young_certificate_alone")]
    [TestCase(21, 9, true, TestName = "Renews_at_two_thirds_of_its_life")]
    [TestCase(300, -200, true, TestName = "Renews_a_certificate_that_expired_while_it_was_offline")]
    public async Task Renews(int livedDays, int leftDays, bool renews)
    {
        hub.Validity = (TimeSpan.FromDays(livedDays) - TimeSpan.FromMinutes(renews ? 0 : 5), TimeSpan.FromDays(leftDays));
        await using var node = new NodeFixture(hub);
        var identity = await node.Get<Enrollment>().EnrollAsync(Address(), hub.NewToken(), null, default);
        var key = identity.Certificate.GetPublicKeyString();

        hub.Validity = (TimeSpan.Zero, TimeSpan.FromDays(30));
        Assert.That(await node.Get<Enrollment>().RenewIfDueAsync(default), Is.True);
        Assert.That(hub.Renewals, Is.EqualTo(renews ? 1 : 0));
        Assert.That(node.Identities.Current!.Certificate.GetPublicKeyString(), Is.EqualTo(key), "by the same key");
    }

    [Test]
    public async Task Carries_on_when_the_hub_revoked_it()
    {
        hub.Validity = (TimeSpan.FromDays(29), TimeSpan.FromDays(1));
        await using var node = new NodeFixture(hub);
        await node.Get<Enrollment>().EnrollAsync(Address(), hub.NewToken(), null, default);
        hub.Revoked = true;
        Assert.That(await node.Get<Enrollment>().RenewIfDueAsync(default), Is.False);
        Assert.That(node.Conditions.Read().Single(condition => condition.Type == ConditionTypes.Enrolled).Reason, Is.EqualTo(EnrolledReasons.Revoked));
    }

    [Test]
    public async Task Quarantines_a_damaged_identity_and_can_enroll_again_by_the_same_key()
    {
        var directory = Directory.CreateTempSubdirectory("edgevirt-hub-").FullName;
        try
        {
            string key;
            await using (var node = new NodeFixture(hub, directory: directory))
            {
                key = (await node.Get<Enrollment>().EnrollAsync(Address(), hub.NewToken(), null, default)).Certificate.GetPublicKeyString();
                await File.WriteAllTextAsync(Path.Combine(node.Options.IdentityDirectory, "identity.json"), "noise");
            }

            await using var again = new NodeFixture(hub, directory: directory);
            Assert.That(again.Identities.Current, Is.Null);
            var identity = await again.Get<Enrollment>().EnrollAsync(Address(), hub.NewToken(), null, default);
            Assert.That(identity.Certificate.GetPublicKeyString(), Is.EqualTo(key));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private HubAddress Address() => HubAddress.TryParse(hub.Address, out var address) ? address : throw new InvalidOperationException();
}
