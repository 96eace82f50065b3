using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Hub.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Hub.Tests.Api;

/// <summary>The REST API over real Kestrel and TLS.</summary>
internal sealed class ApiTests
{
    private HubHost hub = null!;
    private HttpClient admin = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        hub = await HubHost.StartAsync();
        admin = hub.Client();
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        admin?.Dispose();
        if (hub is not null)
        {
            await hub.DisposeAsync();
        }
    }

    [Test]
    public async Task Tells_its_version_and_authority_to_anyone()
    {
        using var anyone = hub.Client("");
        var version = await anyone.GetFromJsonAsync("/api/v1/version", ContractsJson.Default.VersionAnswer);
        Assert.That(version!.ApiVersion, Is.EqualTo("edgevirt.io/v1"));
        Assert.That(await anyone.GetStringAsync("/api/v1/authority"), Does.StartWith("-----BEGIN CERTIFICATE-----").And.Not.Contain("PRIVATE"));
    }

    [Test]
    public async Task Refuses_strangers_and_says_what_to_do([Values("", "eva1.wrong", "nonsense")] string token)
    {
        using var stranger = hub.Client(token);
        using var answer = await stranger.GetAsync("/api/v1/workloads");
        var error = await ErrorOf(answer, HttpStatusCode.Unauthorized);
        Assert.That(error.Code, Is.EqualTo("Unauthorized"));
        Assert.That(error.Hint, Does.Contain("login"));
    }

    [Test]
    public async Task Applies_gets_lists_and_deletes()
    {
        var applied = await Apply(Manifests.WorkloadText("crud", metadata: ", labels: {tier: crud}"));
        Assert.That(applied.Items.Single(), Is.EqualTo(new AppliedResource("Workload", "crud", "created", 1)));
        var one = await admin.GetFromJsonAsync("/api/v1/workloads/crud", ContractsJson.Default.Resource);
        Assert.That(one!.Metadata.Uid, Is.Not.Null);
        var list = await admin.GetFromJsonAsync("/api/v1/workloads?labelSelector=tier%3Dcrud", ContractsJson.Default.ResourceList);
        Assert.That(list!.Items.Select(item => item.Metadata.Name), Is.EqualTo(new[] { "crud" }));
        using var deleted = await admin.DeleteAsync("/api/v1/workloads/crud");
        Assert.That(deleted.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var gone = await admin.GetAsync("/api/v1/workloads/crud");
        await ErrorOf(gone, HttpStatusCode.NotFound);
    }

    [Test]
    public async Task Serves_virtual_machines_as_it_does_workloads()
    {
        using var answer = await admin.GetAsync("/api/v1/virtualmachines?watch=true", HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        var applied = await Apply(Manifests.MachineText("pump", ", cloudInit: {userData: '#cloud-config hunter2-plain-text'}"));
        Assert.That(applied.Items.Single(), Is.EqualTo(new AppliedResource("VirtualMachine", "pump", "created", 1)));
        var watched = JsonSerializer.Deserialize((await lines.ReadLineAsync())!, ContractsJson.Default.WatchEvent)!;
        Assert.That((watched.Type, watched.Resource!.Metadata.Name), Is.EqualTo((WatchEventType.Added, "pump")));
        var list = await admin.GetFromJsonAsync("/api/v1/virtualmachines", ContractsJson.Default.ResourceList);
        Assert.That(list!.Items.Select(item => item.Metadata.Name), Is.EqualTo(new[] { "pump" }));
        using (var refused = await Post("/api/v1/apply", Manifests.MachineText("pump", ", cloudInit: {userData: 'hunter2-plain-text'}")))
        {
            Assert.That((await ErrorOf(refused, HttpStatusCode.BadRequest)).Errors!.Single().Field, Is.EqualTo("spec.cloudInit.userData"));
        }

        using (var taken = await Post("/api/v1/apply", Manifests.WorkloadText("pump")))
        {
            Assert.That((await ErrorOf(taken, HttpStatusCode.BadRequest)).Errors!.Single().Document, Is.EqualTo("Workload/pump"));
        }

        using var deleted = await admin.DeleteAsync("/api/v1/virtualmachines/pump");
        Assert.That(deleted.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        var audit = await admin.GetStringAsync("/api/v1/audit");
        Assert.That(audit, Does.Contain("VirtualMachine/pump created").And.Contain("VirtualMachine/pump deleted").And.Not.Contain("hunter2"));
        Assert.That(hub.Log.Text, Does.Not.Contain("hunter2-plain-text"));
    }

    [Test]
    public async Task Names_field_and_line_of_a_bad_manifest_and_applies_nothing_of_it()
    {
        using var answer = await Post("/api/v1/apply", Manifests.WorkloadText("good") + "---\n" + Manifests.WorkloadText("bad", more: "    restartPolice: Always"));
        var error = await ErrorOf(answer, HttpStatusCode.BadRequest);
        Assert.That(error.Errors!.Single().Field, Is.EqualTo("spec.template.restartPolice"));
        Assert.That(error.Errors!.Single().Line, Is.GreaterThan(8));
        using var good = await admin.GetAsync("/api/v1/workloads/good");
        Assert.That(good.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task Answers_a_stale_change_with_conflict()
    {
        await Apply(Manifests.WorkloadText("stale"));
        await Apply(Manifests.WorkloadText("stale", "registry.local/web:2"));
        using var answer = await admin.PutAsync(
            "/api/v1/workloads/stale", Text(Manifests.WorkloadText("stale", "registry.local/web:9", ", resourceVersion: 1")));
        Assert.That((await ErrorOf(answer, HttpStatusCode.Conflict)).Hint, Is.Not.Null);
    }

    [Test]
    public async Task Streams_a_watch_line_by_line()
    {
        using var answer = await admin.GetAsync("/api/v1/configs?watch=true", HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await Apply("{apiVersion: edgevirt.io/v1, kind: Config, metadata: {name: watched}, spec: {data: {a: b}}}");
        var one = JsonSerializer.Deserialize((await lines.ReadLineAsync())!, ContractsJson.Default.WatchEvent)!;
        Assert.That((one.Type, one.Resource!.Metadata.Name), Is.EqualTo((WatchEventType.Added, "watched")));
        using var old = await admin.GetAsync("/api/v1/configs?watch=true&resourceVersion=999999");
        await ErrorOf(old, HttpStatusCode.Gone);
    }

    [Test]
    public async Task Never_shows_a_secret_in_answers_logs_or_the_audit_log()
    {
        var shown = new StringBuilder();
        using (var applied = await Post("/api/v1/apply", Manifests.SecretText("quiet", "hunter2-plain-text")))
        {
            shown.Append(await applied.Content.ReadAsStringAsync());
        }

        using (var refused = await Post("/api/v1/apply", Manifests.SecretText("quiet", "hunter2-plain-text", ", resourceVersion: 1")))
        {
            shown.Append(await refused.Content.ReadAsStringAsync());
        }

        foreach (var path in new[] { "/api/v1/secrets", "/api/v1/secrets/quiet", "/api/v1/audit", "/api/v1/tokens" })
        {
            shown.Append(await admin.GetStringAsync(path));
        }

        shown.Append(hub.Log.Text);
        var base64 = Convert.ToBase64String("hunter2-plain-text"u8);
        Assert.That(shown.ToString(), Does.Contain("quiet").And.Not.Contain("hunter2").And.Not.Contain(base64).And.Not.Contain(hub.AdminToken));
    }

    [Test]
    public async Task Puts_changes_and_refusals_on_the_audit_log()
    {
        await Apply(Manifests.WorkloadText("audited"));
        using var refused = await Post("/api/v1/apply", "kind: Nonsense");
        var audit = await admin.GetFromJsonAsync("/api/v1/audit", ContractsJson.Default.AuditList);
        Assert.That(audit!.Items.Any(entry => entry is { Actor: "admin", Outcome: "ok" } && entry.Reason == "Workload/audited created"), Is.True);
        Assert.That(audit.Items.Any(entry => entry is { Actor: "admin", Outcome: "refused", Action: "POST /api/v1/apply" }), Is.True);
    }

    [Test]
    public async Task Makes_no_change_that_the_audit_log_cannot_take()
    {
        await Apply(Manifests.WorkloadText("stays"));
        await Apply("{apiVersion: edgevirt.io/v1, kind: BoardClaim, metadata: {name: unsigned}, spec: {maxUses: 1}}");
        await hub.Services.GetRequiredService<HubDatabase>().WriteAsync(
            (connection, _) => connection.Execute(
                "CREATE TRIGGER full BEFORE INSERT ON audit WHEN NEW.outcome = 'ok' BEGIN SELECT RAISE(ABORT, 'the audit log is full'); END"),
            CancellationToken.None);
        try
        {
            using var applied = await Post("/api/v1/apply", Manifests.WorkloadText("unaudited"));
            await ErrorOf(applied, HttpStatusCode.InternalServerError);
            using var put = await admin.PutAsync("/api/v1/workloads/stays", Text(Manifests.WorkloadText("stays", image: "registry.local/web:2")));
            await ErrorOf(put, HttpStatusCode.InternalServerError);
            using var deleted = await admin.DeleteAsync("/api/v1/workloads/stays");
            await ErrorOf(deleted, HttpStatusCode.InternalServerError);
            using var token = await Post("/api/v1/tokens", """{"name": "unaudited"}""");
            await ErrorOf(token, HttpStatusCode.InternalServerError);
            using var claim = await Post("/api/v1/boardclaims/unsigned/token", "");
            await ErrorOf(claim, HttpStatusCode.InternalServerError);
        }
        finally
        {
            await hub.Services.GetRequiredService<HubDatabase>().WriteAsync((connection, _) => connection.Execute("DROP TRIGGER full"), CancellationToken.None);
        }

        using var unaudited = await admin.GetAsync("/api/v1/workloads/unaudited");
        await ErrorOf(unaudited, HttpStatusCode.NotFound);
        var stays = await admin.GetFromJsonAsync("/api/v1/workloads/stays", ContractsJson.Default.Resource);
        Assert.That(stays!.Metadata.Generation, Is.EqualTo(1));
        Assert.That(await admin.GetStringAsync("/api/v1/tokens"), Does.Not.Contain("unaudited"));
        var audit = await admin.GetFromJsonAsync("/api/v1/audit", ContractsJson.Default.AuditList);
        Assert.That(audit!.Items.Count(entry => entry is { Outcome: "refused", Reason: "failed; see the hub's log" }), Is.GreaterThanOrEqualTo(5));
    }

    [Test]
    public async Task Makes_tokens_that_can_be_limited_and_ended()
    {
        using var made = await Post("/api/v1/tokens", """{"name": "viewer", "readOnly": true}""");
        var token = JsonDocument.Parse(await made.Content.ReadAsStringAsync()).RootElement.GetProperty("token").GetString();
        using var viewer = hub.Client(token);
        Assert.That((await viewer.GetAsync("/api/v1/workloads")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var change = await viewer.DeleteAsync("/api/v1/workloads/any");
        await ErrorOf(change, HttpStatusCode.Forbidden);
        using var deleted = await admin.DeleteAsync("/api/v1/tokens/viewer");
        using var ended = await viewer.GetAsync("/api/v1/workloads");
        await ErrorOf(ended, HttpStatusCode.Unauthorized);
    }

    [Test]
    public async Task Answers_everything_else_with_an_ApiError()
    {
        using var nowhere = await admin.GetAsync("/api/v1/nothing");
        await ErrorOf(nowhere, HttpStatusCode.NotFound);
        using var method = await admin.PatchAsync("/api/v1/workloads", null);
        await ErrorOf(method, HttpStatusCode.MethodNotAllowed);
        using var query = await admin.GetAsync("/api/v1/workloads?resourceVersion=abc");
        await ErrorOf(query, HttpStatusCode.BadRequest);
        using var selector = await admin.GetAsync("/api/v1/workloads?labelSelector=a!%3Db");
        await ErrorOf(selector, HttpStatusCode.BadRequest);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/apply") { Content = new ByteArrayContent(new byte[9 << 20]) };
        request.Headers.ExpectContinue = true;
        using var large = await admin.SendAsync(request);
        await ErrorOf(large, HttpStatusCode.RequestEntityTooLarge);
    }

    [Test]
    public async Task Takes_a_manifest_whatever_its_content_type([Values("text/plain", "application/x-www-form-urlencoded", "application/json")] string type)
    {
        using var content = new StringContent(Manifests.WorkloadText("typed"), Encoding.UTF8, type);
        using var answer = await admin.PostAsync("/api/v1/apply?dryRun=true", content);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Says_why_there_is_no_log_to_read()
    {
        using var unknown = await admin.GetAsync("/api/v1/workloads/nobody/logs");
        await ErrorOf(unknown, HttpStatusCode.NotFound);
        await Apply(Manifests.WorkloadText("nowhere"));
        using var nowhere = await admin.GetAsync("/api/v1/workloads/nowhere/logs");
        Assert.That((await ErrorOf(nowhere, HttpStatusCode.NotFound)).Hint, Is.Not.Null);
    }

    [Test]
    public async Task Describes_itself_in_OpenAPI()
    {
        using var anyone = hub.Client("");
        using var document = JsonDocument.Parse(await anyone.GetStringAsync("/openapi/v1.json"));
        var paths = document.RootElement.GetProperty("paths").EnumerateObject().Select(path => path.Name).ToList();
        Assert.That(paths, Does.Contain("/api/v1/apply").And.Contain("/api/v1/workloads/{name}").And.Contain("/api/v1/virtualmachines/{name}").And.Contain("/api/v1/boardclaims/{name}/token"));
    }

    [Test]
    public void Keeps_its_credentials_to_its_user()
    {
        foreach (var file in new[] { hub.Options.AdminTokenFile, hub.Options.SecretsKeyFile })
        {
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), file);
        }
    }

    private static StringContent Text(string text) => new(text, Encoding.UTF8, "application/yaml");

    private static async Task<ApiError> ErrorOf(HttpResponseMessage answer, HttpStatusCode status)
    {
        Assert.That(answer.StatusCode, Is.EqualTo(status));
        var error = await answer.Content.ReadFromJsonAsync(ContractsJson.Default.ApiError);
        Assert.That(error!.Message, Is.Not.Empty);
        return error;
    }

    private Task<HttpResponseMessage> Post(string path, string text) => admin.PostAsync(path, Text(text));

    private async Task<ApplyResult> Apply(string text)
    {
        using var answer = await Post("/api/v1/apply", text);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync(ContractsJson.Default.ApplyResult))!;
    }
}
