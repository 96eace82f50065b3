namespace EdgeVirt.Hub.Tests;

public sealed class HubOptionsReaderTests
{
    [Test]
    public void Telemetry_is_limited_unless_said_otherwise()
    {
        var options = Read([]);
        Assert.That((options.TelemetryRetentionDays, options.TelemetryMaxGib), Is.EqualTo((30, 10)));
    }

    [Test]
    public void The_command_line_wins_over_the_environment()
    {
        var options = Read(["--telemetry-max-gib", "0", "--api-port=1"], ("EDGEVIRT_HUB_TELEMETRY_RETENTION_DAYS", "90"), ("EDGEVIRT_HUB_TELEMETRY_MAX_GIB", "5"));
        Assert.That((options.TelemetryRetentionDays, options.TelemetryMaxGib, options.ApiPort), Is.EqualTo((90, 0, 1)));
    }

    [TestCase("--telemetry-retention-days", "-1", "telemetry-retention-days must be between 0 and 36500, is '-1'.")]
    [TestCase("--telemetry-retention-days", "1.5", "telemetry-retention-days must be between 0 and 36500, is '1.5'.")]
    [TestCase("--telemetry-max-gib", "lots", "telemetry-max-gib must be between 0 and 1048576, is 'lots'.")]
    [TestCase("--api-port", "65536", "api-port must be between 0 and 65535, is '65536'.")]
    public void Says_what_an_option_may_be(string name, string value, string message) =>
        Assert.That(() => Read([name, value]), Throws.TypeOf<HubOptionsException>().With.Message.EqualTo(message));

    private static HubOptions Read(string[] args, params (string Name, string Value)[] environment) =>
        HubOptionsReader.Read(args, name => environment.FirstOrDefault(one => one.Name == name).Value, _ => null);
}
