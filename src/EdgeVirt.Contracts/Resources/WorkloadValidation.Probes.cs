namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private const int MostSleepAfterStart = 3600;

    private static void ValidateProbes(ContainerSpec container, string path, Validation v)
    {
        Validate(container.StartupProbe, $"{path}.startupProbe", onlyOnce: true, v);
        Validate(container.ReadinessProbe, $"{path}.readinessProbe", onlyOnce: false, v);
        Validate(container.LivenessProbe, $"{path}.livenessProbe", onlyOnce: true, v);
    }

    private static void RefuseProbes(ContainerSpec container, string path, Validation v)
    {
        if (container.Lifecycle is not null)
        {
            v.Add($"{path}.lifecycle", "is not for init containers");
        }

        foreach (var (probe, name) in new[] { (container.StartupProbe, "startupProbe"), (container.ReadinessProbe, "readinessProbe"), (container.LivenessProbe, "livenessProbe") })
        {
            if (probe is not null)
            {
                v.Add($"{path}.{name}", "is not for init containers: that they end is what is waited for");
            }
        }
    }

    private static void ValidateHooks(Lifecycle? lifecycle, int grace, string path, Validation v)
    {
        Validate(lifecycle?.PostStart, $"{path}.postStart", MostSleepAfterStart, "", v);
        Validate(lifecycle?.PreStop, $"{path}.preStop", grace, "terminationGracePeriodSeconds ", v);
        if (lifecycle?.PreStop is not null && grace == 0)
        {
            v.Add($"{path}.preStop", "has no time to run in with a terminationGracePeriodSeconds of 0");
        }
    }

    private static void Validate(LifecycleHandler? hook, string path, int mostSleep, string whatLimits, Validation v)
    {
        if (hook is null)
        {
            return;
        }

        object?[] kinds = [hook.Exec, hook.HttpGet, hook.Sleep];
        if (kinds.Count(kind => kind is not null) != 1)
        {
            v.Add(path, "give exactly one of exec, httpGet and sleep");
        }

        Validate(hook.Exec, $"{path}.exec", v);
        Validate(hook.HttpGet, $"{path}.httpGet", v);
        if (mostSleep > 0 && hook.Sleep is { } sleep && (sleep.Seconds < 1 || sleep.Seconds > mostSleep))
        {
            v.Add($"{path}.sleep.seconds", $"must be between 1 and {whatLimits}{(whatLimits.Length == 0 ? $"{mostSleep}" : $"({mostSleep})")}");
        }
    }

    private static void Validate(Probe? probe, string path, bool onlyOnce, Validation v)
    {
        if (probe is null)
        {
            return;
        }

        object?[] kinds = [probe.Exec, probe.HttpGet, probe.TcpSocket, probe.Grpc];
        if (kinds.Count(kind => kind is not null) != 1)
        {
            v.Add(path, "give exactly one of exec, httpGet, tcpSocket and grpc");
        }

        Validate(probe.Exec, $"{path}.exec", v);
        Validate(probe.HttpGet, $"{path}.httpGet", v);
        Port(probe.TcpSocket?.Port, $"{path}.tcpSocket.port", v);
        Port(probe.Grpc?.Port, $"{path}.grpc.port", v);
        AtLeast(0, probe.InitialDelaySeconds, $"{path}.initialDelaySeconds", v);
        AtLeast(1, probe.PeriodSeconds, $"{path}.periodSeconds", v);
        AtLeast(1, probe.TimeoutSeconds, $"{path}.timeoutSeconds", v);
        AtLeast(1, probe.SuccessThreshold, $"{path}.successThreshold", v);
        AtLeast(1, probe.FailureThreshold, $"{path}.failureThreshold", v);
        if (onlyOnce && probe.SuccessThreshold > 1)
        {
            v.Add($"{path}.successThreshold", "must be 1 but for readiness probes");
        }
    }

    private static void Validate(ExecAction? exec, string path, Validation v)
    {
        if (exec is not null && (exec.Command.Count == 0 || exec.Command[0].Length == 0))
        {
            v.Add($"{path}.command", "needs a program");
        }
    }

    private static void Validate(HttpGetAction? get, string path, Validation v)
    {
        Port(get?.Port, $"{path}.port", v);
        if (get?.Path is { } at && (!at.StartsWith('/') || at.Any(c => c <= ' ')))
        {
            v.Add($"{path}.path", "must begin with '/' and have no blanks in it");
        }

        var headers = get?.HttpHeaders ?? [];
        for (var i = 0; i < headers.Count; i++)
        {
            if (headers[i].Name.Length == 0 || !headers[i].Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            {
                v.Add($"{path}.httpHeaders[{i}].name", "must be letters, digits, '-' and '_'");
            }

            if (headers[i].Value.Any(char.IsControl))
            {
                v.Add($"{path}.httpHeaders[{i}].value", "must not hold control characters");
            }
        }
    }

    private static void Port(int? port, string path, Validation v)
    {
        if (port is < 1 or > MaxPort)
        {
            v.Add(path, "must be between 1 and 65535");
        }
    }

    private static void AtLeast(int least, int? value, string path, Validation v)
    {
        if (value < least || value > 86_400)
        {
            v.Add(path, $"must be between {least} and 86400");
        }
    }
}
