using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;

namespace EdgeVirt.Node.Tests.Containers;

internal sealed class WorkloadPullTermsTests
{
    private const string Login = """{"auths":{"r.test":{"username":"u","password":"p"}}}""";

    [Test]
    public void Credentials_come_from_the_Secrets_that_the_workload_names()
    {
        var terms = WorkloadPullTerms.Of(Target(Secret("a", ".dockerconfigjson", Login)));
        Assert.That(terms.Problem, Is.Null);
        Assert.That(terms.Keychain.For("r.test", "app").Select(credential => credential.Username), Is.EqualTo(new[] { "u" }));
        Assert.That(terms.Keychain.For("other.test", "app"), Is.Empty);
    }

    [Test]
    public void What_is_wrong_with_a_Secret_is_said_and_keeps_no_other_from_being_used()
    {
        var missing = WorkloadPullTerms.Of(Target());
        var keyless = WorkloadPullTerms.Of(Target(Secret("a", "config.json", Login)));
        var unreadable = WorkloadPullTerms.Of(Target(Secret("a", ".dockerconfigjson", "hunter2"), Secret("b", ".dockerconfigjson", Login)));
        Assert.Multiple(() =>
        {
            Assert.That(missing.Problem, Does.Contain("Secret 'a'").And.Contains("does not exist"));
            Assert.That(keyless.Problem, Does.Contain("Secret 'a'").And.Contains("no key '.dockerconfigjson'"));
            Assert.That(unreadable.Problem, Does.Contain("Secret 'a'").And.Not.Contains("hunter2"));
            Assert.That(unreadable.Keychain.For("r.test", "app"), Has.Count.EqualTo(1));
        });
    }

    [Test]
    public void A_new_password_makes_a_new_target_that_restarts_nothing()
    {
        var before = Target(Secret("a", ".dockerconfigjson", Login));
        var after = WorkloadTarget.Of("n", before.Workload, References(Secret("a", ".dockerconfigjson", Login + " ")), before);
        Assert.That(after, Is.Not.SameAs(before));
        Assert.That(after.Hash, Is.EqualTo(before.Hash));
        Assert.That(WorkloadTarget.Of("n", before.Workload, References(Secret("a", ".dockerconfigjson", Login)), before), Is.SameAs(before));
    }

    [Test]
    public void The_budget_is_read_and_restarts_nothing()
    {
        var before = Target();
        var workload = before.Workload with { Generation = 2, Template = before.Template with { ImagePull = new ImagePullSpec { MaxBytes = Quantity.TryParse("5Mi", out var most) ? most : null } } };
        var after = WorkloadTarget.Of("n", workload, References(), before);
        Assert.That(WorkloadPullTerms.Of(after).MaxBytes, Is.EqualTo(5 << 20));
        Assert.That(WorkloadPullTerms.Of(before).MaxBytes, Is.Null);
        Assert.That(after.Hash, Is.EqualTo(before.Hash));
    }

    [Test]
    public void Whether_a_delta_is_required_is_read_and_restarts_nothing()
    {
        var before = Target();
        var workload = before.Workload with { Generation = 2, Template = before.Template with { ImagePull = new ImagePullSpec { Delta = ImageDeltaPolicy.Required } } };
        var after = WorkloadTarget.Of("n", workload, References(), before);
        Assert.That(WorkloadPullTerms.Of(after).Delta, Is.EqualTo(ImageDeltaPolicy.Required));
        Assert.That(WorkloadPullTerms.Of(before).Delta, Is.EqualTo(ImageDeltaPolicy.Preferred));
        Assert.That(after.Hash, Is.EqualTo(before.Hash));
    }

    [Test]
    public void The_highest_uplink_cost_is_read_and_restarts_nothing()
    {
        var before = Target();
        var workload = before.Workload with { Generation = 2, Template = before.Template with { ImagePull = new ImagePullSpec { MaxUplinkCost = 3 } } };
        var after = WorkloadTarget.Of("n", workload, References(), before);
        Assert.That((WorkloadPullTerms.Of(after).MaxUplinkCost, WorkloadPullTerms.Of(before).MaxUplinkCost), Is.EqualTo(((int?)3, (int?)null)));
        Assert.That(after.Hash, Is.EqualTo(before.Hash));
    }

    [Test]
    public async Task A_required_delta_that_cannot_be_is_a_reason_of_its_own()
    {
        var failed = await Assert.ThrowsAsync<PreparationFailedException>(() => WorkloadPreparation.RunAsync(Target(), new Unavailable(), null, CancellationToken.None));
        Assert.That(failed!.Problem.Reason, Is.EqualTo(ReadyReasons.DeltaUnavailable));
        Assert.That(failed.Problem.Message, Does.Contain("because it is not compressed"));
        Assert.That(failed.IsFinal, Is.False);
    }

    private static DesiredSecret Secret(string name, string key, string value) =>
        new() { Name = name, Data = new Dictionary<string, byte[]> { [key] = System.Text.Encoding.UTF8.GetBytes(value) } };

    private static References References(params DesiredSecret[] secrets) => new(new NodeDocument { Node = "n", Secrets = secrets });

    private static WorkloadTarget Target(params DesiredSecret[] secrets)
    {
        var template = new PodSpec
        {
            Containers = [new ContainerSpec { Name = "c", Image = "r.test/app:1" }],
            ImagePullSecrets = [new LocalObjectReference { Name = "a" }, .. secrets.Skip(1).Select(secret => new LocalObjectReference { Name = secret.Name })],
        };
        return WorkloadTarget.Of("n", new DesiredWorkload { Name = "w", Uid = "u", Generation = 1, Template = template }, References(secrets), null);
    }

    private sealed class Unavailable : IContainerImages
    {
        public Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct) =>
            throw new ImagePullException("refused, because it is not compressed") { IsDeltaUnavailable = true };

        public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
    }
}
