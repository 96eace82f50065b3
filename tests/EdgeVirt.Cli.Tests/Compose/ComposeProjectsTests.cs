using EdgeVirt.Cli.Compose;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Tests.Compose;

/// <summary>Whole projects: what is made of them, and what is named as not carried over.</summary>
internal sealed class ComposeProjectsTests
{
    private string folder = null!;

    [SetUp]
    public void SetUp()
    {
        folder = Path.Combine(Directory.CreateTempSubdirectory("edgevirt-compose-").FullName, "shop");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "passwords.txt"), "roger:$7$101$x==\n");
        File.WriteAllText(Path.Combine(folder, "db.env"), "export MYSQL_PASSWORD='p # w' # secret\nMYSQL_USER=nextcloud # who\n");
        File.WriteAllText(Path.Combine(folder, "base.yml"), "services:\n  base: {image: app:1, restart: always, cap_add: [SYS_TIME]}\n");
    }

    [TearDown]
    public void TearDown() => Directory.Delete(Path.GetDirectoryName(folder)!, recursive: true);

    [Test]
    public void Mosquitto_with_a_config_a_secret_and_the_default_network()
    {
        var made = Import(ComposeProjects.Mosquitto);
        Assert.That(made.Losses, Is.Empty);
        Assert.That(made.Notices, Has.Some.Contains("the secret 'passwords' is in the manifests").And.Some.Contains("networks: all workloads"));
        Assert.That(made.Spec<ConfigSpec>("Config", "shop-acl").Data["acl"], Is.EqualTo("topic read $SYS/#\npattern readwrite devices/%u/#\n"));
        Assert.That(made.Spec<SecretSpec>("Secret", "shop-passwords").StringData!["passwords"], Is.EqualTo("roger:$7$101$x==\n"));
        var template = made.Template("mosquitto");
        Assert.That(PlacesOf(template), Is.EqualTo(new[]
        {
            $"/mosquitto/config hostPath {folder}/config ro", "/mosquitto/data volume shop-data", "/mosquitto/log volume shop-log",
            "/mosquitto/acl.conf config shop-acl acl 288 ro", "/run/secrets/passwords secret shop-passwords passwords ro",
        }));
        Assert.That(template.Containers[0].Ports!.Select(port => (port.Port, port.HostPort)), Is.EqualTo(new (int, int?)[] { (1883, 1883), (9001, 9001) }));
    }

    [Test]
    public void Grafana_and_influxdb_with_anchors_limits_and_secrets()
    {
        var made = Import(ComposeProjects.Grafana);
        Assert.That(made.Losses, Is.Empty);
        Assert.That(made.Notices, Has.Some.Contains("apply a Secret 'grafana-admin' with the key 'grafana_admin'").And.Some.Contains("logging").And.Some.Contains("start_period"));
        Assert.That(made.Spec<SecretSpec>("Secret", "shop-token").StringData!["token"], Is.EqualTo("t0ken"));
        var influx = made.Template("influxdb");
        Assert.That((influx.RestartPolicy, influx.Containers[0].Image), Is.EqualTo((RestartPolicy.Always, "docker.io/library/influxdb:2.7")));
        var resources = influx.Containers[0].Resources!;
        Assert.That((resources.Limits!.Cpu!.Value.Value, resources.Limits.Memory!.Value.Value, resources.Limits.Pids, resources.Requests!.Memory!.Value.Value), Is.EqualTo((1.5m, 512m * (1 << 20), 200, 128m * (1 << 20))));
        var grafana = made.Template("grafana");
        Assert.That(grafana.RestartPolicy, Is.EqualTo(RestartPolicy.Always));
        Assert.That(grafana.Containers[0].Env!.ToDictionary(variable => variable.Name, variable => variable.Value), Is.EquivalentTo(new Dictionary<string, string>
        {
            ["DOCKER_INFLUXDB_INIT_MODE"] = "setup", ["DOCKER_INFLUXDB_INIT_ORG"] = "other", ["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"] = "/run/secrets/token",
            ["GF_SECURITY_ADMIN_PASSWORD__FILE"] = "/run/secrets/admin",
        }));
        Assert.That(PlacesOf(grafana), Is.EqualTo(new[]
        {
            "/var/lib/grafana volume grafana-storage", "/run/secrets/token secret shop-token token ro", "/run/secrets/admin secret grafana-admin grafana_admin 288 ro",
        }).Or.EqualTo(new[]
        {
            "/run/secrets/token secret shop-token token ro", "/run/secrets/admin secret grafana-admin grafana_admin 288 ro", "/var/lib/grafana volume grafana-storage",
        }));
    }

    [Test]
    public void Home_assistant_on_the_nodes_network_with_its_devices()
    {
        var made = Import(ComposeProjects.HomeAssistant);
        Assert.That(made.Losses, Is.Empty);
        Assert.That(made.Notices, Has.Some.Contains("need not be published").And.Some.Contains("/run/dbus must be on the node"));
        var template = made.Template("homeassistant");
        var container = template.Containers[0];
        Assert.That((template.HostNetwork, container.Ports, container.SecurityContext!.Privileged, template.TerminationGracePeriodSeconds), Is.EqualTo((true, (IReadOnlyList<ContainerPort>?)null, true, 60)));
        Assert.That((container.Devices![0].Path, container.Devices[0].ContainerPath), Is.EqualTo(("/dev/serial/by-id/usb-Silicon_Labs-if00-port0", "/dev/ttyUSB0")));
        Assert.That(PlacesOf(template), Has.Member("/etc/localtime hostPath /etc/localtime ro").And.Member("/config hostPath /opt/homeassistant/config"));
    }

    [Test]
    public void Node_red_with_a_network_of_its_own_and_a_group_by_name()
    {
        var made = Import(ComposeProjects.NodeRed);
        Assert.That(made.Losses, Has.Count.EqualTo(1).And.Some.Contains("12: services.node-red.group_add").And.Some.Contains("getent group"));
        Assert.That(made.Notices, Has.Some.Contains("labels are not carried over").And.Some.Contains("all workloads of a node are in one network"));
        Assert.That(made.Template("node-red").RestartPolicy, Is.EqualTo(RestartPolicy.Never), "as in Compose without restart");
    }

    [Test]
    public void Zigbee2mqtt_with_a_serial_device()
    {
        var made = Import(ComposeProjects.Zigbee2Mqtt);
        Assert.That(made.Losses, Is.Empty);
        var template = made.Template("zigbee2mqtt");
        var container = template.Containers[0];
        Assert.That((container.Devices![0].ContainerPath, container.Devices[0].Permissions), Is.EqualTo(("/dev/ttyACM0", "rw")));
        Assert.That(template.SecurityContext!.SupplementalGroups, Is.EqualTo(new[] { 20 }));
        Assert.That((container.SecurityContext!.RunAsUser, container.SecurityContext.RunAsGroup, container.SecurityContext.AllowPrivilegeEscalation), Is.EqualTo((1000, 1000, false)));
        Assert.That(PlacesOf(template), Has.Member("/dev/shm memory 128Mi").And.Member("/tmp memory 64Mi"));
    }

    [Test]
    public void Nextcloud_with_a_shared_volume_profiles_and_what_no_node_has()
    {
        var made = Import(ComposeProjects.Nextcloud);
        Assert.That(made.Losses.Select(loss => loss.Split(' ', 2)[1]), Is.EqualTo(new[]
        {
            "/var/run/docker.sock cannot be carried over: no Docker engine runs on a node",
            "services.ai.ulimits cannot be carried over",
            "deploy.resources.reservations.devices cannot be carried over: name the device files of the node in 'devices', as /dev/dri/renderD128",
            "volumes: driver_opts cannot be carried over",
            "networks: ipam cannot be carried over",
        }));
        Assert.That(made.Notices, Has.Some.Contains("app, cron, web share it").And.Some.Contains("set COMPOSE_PROFILES=debug").And.Some.Contains("2 replicas are on 2 nodes").And.Some.Contains("restart_policy.max_attempts"));
        Assert.That(made.Names("Workload"), Is.EqualTo(new[] { "db", "redis", "app", "cron", "web", "watchtower", "ai" }));
        Assert.That(made.Template("db").Containers[0].Env!.Select(variable => $"{variable.Name}={variable.Value}"), Is.EqualTo(new[] { "MYSQL_DATABASE=nextcloud", "MYSQL_PASSWORD=p # w", "MYSQL_USER=nextcloud" }));
        var cron = made.Template("cron");
        Assert.That((cron.Containers[0].Image, cron.RestartPolicy), Is.EqualTo(("docker.io/library/nextcloud:fpm", RestartPolicy.Always)));
        Assert.That(cron.Containers[0].Command, Is.EqualTo(new[] { "/cron.sh" }));
        foreach (var name in (string[])["app", "cron", "web"])
        {
            Assert.That(PlacesOf(made.Template(name)), Is.EqualTo(new[] { $"/var/www/html volume cloud-nextcloud{(name == "web" ? " ro" : "")}" }));
        }

        var web = made.Spec<WorkloadSpec>("Workload", "web");
        Assert.That((web.Template.RestartPolicy, web.Placement!.Replicas, web.Placement.NodeSelector!["site"]), Is.EqualTo((RestartPolicy.OnFailure, 2, "oslo")));
        Assert.That(Import(ComposeProjects.Nextcloud, "debug").Names("Workload"), Has.Member("adminer"));
    }

    [Test]
    public void A_service_extends_one_of_a_file_beside_it()
    {
        var made = Import("services:\n  app:\n    extends: {file: base.yml, service: base}\n    cap_add: [NET_ADMIN]\n");
        var template = made.Template("app");
        Assert.That((template.RestartPolicy, template.Containers[0].Image), Is.EqualTo((RestartPolicy.Always, "docker.io/library/app:1")));
        Assert.That(template.Containers[0].SecurityContext!.Capabilities!.Add, Is.EqualTo(new[] { "SYS_TIME", "NET_ADMIN" }));
    }

    [TestCase("services:\n  a: {extends: b, image: x:1}\n  b: {extends: a}\n", "in a circle")]
    [TestCase("services:\n  a: {image: x:1, extends: {file: ../other.yml, service: b}}\n", "in another folder")]
    [TestCase("services:\n  a: {image: x:1, secrets: [s]}\n", "'s' is not among the file's secrets")]
    [TestCase("services:\n  a: {image: x:1}\nsecrets: {s: {environment: NOBODY_SET_IT}}\n", "NOBODY_SET_IT is not set")]
    [TestCase("services:\n  a: {image: x:1, networks: {n: {aliases: [b]}}}\n", "it is found as a alone")]
    [TestCase("services:\n  a: {image: x:1, security_opt: [systempaths=unconfined]}\n", "security_opt")]
    [TestCase("services:\n  a: {image: x:1, network_mode: none}\n", "network_mode")]
    [TestCase("services:\n  a: {image: x:1}\ninclude: [other.yml]\n", "include")]
    public void Is_named_as_a_loss(string text, string words) => Assert.That(Import(text).Losses, Has.Some.Contains(words));

    [TestCase("a: &a [1, *a]", "there is no &a before")]
    [TestCase("a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e]", "with its aliases written out")]
    [TestCase("a: {<<: [1]}", "merges mappings")]
    public void Aliases_are_bounded(string text, string words) =>
        Assert.That(() => Import(text + "\nservices: {}"), Throws.InstanceOf<CliException>().With.Message.Contains(words));

    private Imported Import(string text, string? profiles = null)
    {
        var findings = new ComposeFindings();
        var variables = new Dictionary<string, string> { ["INFLUX_TOKEN"] = "t0ken", ["COMPOSE_PROFILES"] = profiles ?? "" };
        var manifest = Manifest.Parse(ComposeImport.Convert(text, folder, projectName: null, variables, findings));
        Assert.That(manifest.Errors, Is.Empty, "what is made is valid");
        return new Imported(manifest, findings);
    }

    private static IEnumerable<string> PlacesOf(PodSpec template) => template.Containers[0].VolumeMounts!.Select(mount =>
    {
        var volume = template.Volumes!.Single(volume => volume.Name == mount.Name);
        var source = volume switch
        {
            { HostPath: { } host } => $"hostPath {host.Path}",
            { PersistentVolume: { } persistent } => $"volume {persistent.VolumeName}",
            { Config: { } config } => $"config {config.Name} {FileOf(config.Items!, mount)}",
            { Secret: { } secret } => $"secret {secret.SecretName} {FileOf(secret.Items!, mount)}",
            { EmptyDir: { Medium: EmptyDirMedium.Memory, SizeLimit: { } limit } } => $"memory {limit}",
            _ => "emptyDir",
        };
        return $"{mount.MountPath} {source}{(mount.ReadOnly ? " ro" : "")}";
    });

    private static string FileOf(IReadOnlyList<KeyToPath> items, VolumeMount mount)
    {
        Assert.That(items.Single().Path, Is.EqualTo(mount.SubPath));
        return items[0].Key + (items[0].Mode is { } mode ? $" {mode}" : "");
    }

    private sealed record Imported(ManifestResult Manifest, ComposeFindings Findings)
    {
        public List<string> Losses => [.. Findings.All.Where(finding => finding.IsLoss).Select(finding => $"{finding.Line}: {finding.Text}")];

        public List<string> Notices => [.. Findings.All.Where(finding => !finding.IsLoss).Select(finding => $"{finding.Line}: {finding.Text}")];

        public IEnumerable<string> Names(string kind) => Manifest.Resources.Where(resource => resource.Kind == kind).Select(resource => resource.Metadata.Name);

        public T Spec<T>(string kind, string name)
            where T : class => Manifest.Resources.Single(resource => resource.Kind == kind && resource.Metadata.Name == name).SpecOf<T>();

        public PodSpec Template(string name) => Spec<WorkloadSpec>("Workload", name).Template;
    }
}
