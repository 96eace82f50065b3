using EdgeVirt.Cli.Compose;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Tests.Compose;

internal sealed class ComposeImportTests
{
    private const string Shop = """
        services:
          web_front:
            image: nginx:1.27
            restart: unless-stopped
            ports: ["127.0.0.1:8080-8081:80-81", "53:53/udp"]
            volumes: ["./site:/usr/share/nginx/html:ro"]
            depends_on: [db]
          db:
            image: postgres:${PG:-16}
            command: postgres -c "work_mem=8 MB"
            environment: {POSTGRES_PASSWORD: "${SECRET}", COST: "$$5"}
            volumes: ["data:/var/lib/postgresql/data"]
            tmpfs: /run
            mem_limit: 512m
            user: "70:70"
            cap_add: [SYS_NICE]
            cap_drop: [ALL]
            healthcheck: {test: [CMD-SHELL, pg_isready], interval: 1m30s}
        volumes:
          data:
        """;

    [Test]
    public void A_project_becomes_valid_workloads_of_one_set()
    {
        var findings = new ComposeFindings();
        var yaml = Convert(Shop, findings);
        Assert.That(Manifest.Parse(yaml).Errors, Is.Empty);
        Assert.That(findings.All.Where(finding => finding.IsLoss), Is.Empty);
        Assert.That(yaml, Does.Contain("name: web-front").And.Contain("set: shop").And.Contain("hostPort: 8081").And.Contain("protocol: UDP"));
        Assert.That(yaml, Does.Contain("path: /srv/shop/site").And.Contain("restartPolicy: Always").And.Contain("medium: Memory"));
        Assert.That(yaml, Does.Contain("image: docker.io/library/postgres:16").And.Contain("work_mem=8 MB").And.Contain("hunter2").And.Contain("$5").And.Contain("memory: \"512Mi\""));
        Assert.That(yaml, Does.Contain("volumeName: shop-data").And.Contain("periodSeconds: 90").And.Contain("runAsGroup: 70").And.Contain("SYS_NICE"));
        Assert.That(findings.All.Select(finding => finding.Line), Is.EqualTo(new[] { 2, 6, 12 }));
    }

    [Test]
    public void The_order_of_starts_becomes_startAfter()
    {
        var findings = new ComposeFindings();
        var yaml = Convert("""
            services:
              web:
                image: web:1
                depends_on:
                  db_main: {condition: service_healthy}
                  migrate: {condition: service_completed_successfully, required: false}
                  cache: {condition: service_started, restart: false}
              other: {image: other:1, depends_on: [web]}
              db_main: {image: db:1}
              migrate: {image: db:1}
              cache: {image: cache:1}
            """, findings);
        Assert.That(findings.HasLoss, Is.False);
        var workloads = Manifest.Parse(yaml).Resources.ToDictionary(resource => resource.Metadata.Name, resource => resource.SpecOf<WorkloadSpec>().Template.StartAfter);
        Assert.That(workloads["web"]!.Select(after => (after.Workload, after.Condition, after.Optional)), Is.EqualTo([
            ("db-main", StartCondition.Ready, false), ("migrate", StartCondition.Completed, true), ("cache", StartCondition.Started, false),
        ]));
        Assert.That(workloads["other"]!.Single(), Is.EqualTo(new StartAfter { Workload = "web", Condition = StartCondition.Started }));
        Assert.That(workloads["cache"], Is.Null);
    }

    [TestCase("    depends_on: {db: {condition: service_started, restart: true}}", "depends_on.restart")]
    [TestCase("    depends_on: {db: {condition: service_ready}}", "depends_on.condition")]
    [TestCase("    build: .", "build")]
    [TestCase("    links: [db]", "links")]
    [TestCase("    extends: {service: other}", "extends")]
    [TestCase("    user: postgres", "user")]
    [TestCase("    ports: [\"80\"]", "any free port")]
    [TestCase("    environment: {A: \"${MISSING}\"}", "MISSING")]
    public void What_cannot_be_carried_over_is_named_with_its_line(string line, string word)
    {
        var findings = new ComposeFindings();
        Convert($"services:\n  app:\n    image: app:1\n{line}\n", findings);
        var loss = findings.All.Single();
        Assert.That((loss.Line, loss.IsLoss), Is.EqualTo((4, true)));
        Assert.That(loss.Text, Does.Contain(word));
    }

    [Test]
    public async Task A_loss_has_an_exit_code_of_its_own_and_writes_nothing_unless_allowed()
    {
        using var run = new CliRun();
        var file = run.File("compose.yml", "services:\n  app:\n    image: app:1\n    links: [db]\n");
        var refused = await run.RunAsync("import", "compose", file);
        Assert.That(refused.Code, Is.EqualTo(ExitCodes.Loss));
        Assert.That(refused.Out, Is.Empty);
        Assert.That(refused.Error, Does.Contain("compose.yml:4: not carried over: services.app.links"));
        var allowed = await run.RunAsync("import", "compose", file, "--allow-loss", "--project-name", "demo");
        Assert.That(allowed.Code, Is.EqualTo(ExitCodes.Ok));
        Assert.That(allowed.Out, Does.Contain("kind: Workload").And.Contain("set: demo"));
    }

    [TestCase("nginx:1.27", "docker.io/library/nginx:1.27")]
    [TestCase("grafana/grafana", "docker.io/grafana/grafana")]
    [TestCase("ghcr.io/home-assistant/home-assistant:stable", "ghcr.io/home-assistant/home-assistant:stable")]
    [TestCase("localhost:5000/app:1", "localhost:5000/app:1")]
    public void An_image_gets_the_registry_that_Compose_means(string name, string image) =>
        Assert.That(ComposeText.Image(name), Is.EqualTo(image));

    private static string Convert(string text, ComposeFindings findings) =>
        ComposeImport.Convert(text, "/srv/shop", projectName: null, new Dictionary<string, string> { ["SECRET"] = "hunter2" }, findings);
}
