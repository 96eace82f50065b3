namespace EdgeVirt.Contracts.Resources;

/// <summary>A question that is put to a container again and again: exactly one of the four kinds. Names, defaults and
/// meanings are those of Kubernetes.</summary>
public sealed record Probe
{
    /// <summary>A command inside the container; exit code 0 is success.</summary>
    public ExecAction? Exec { get; init; }

    /// <summary>An HTTP request; 200 to 399 is success.</summary>
    public HttpGetAction? HttpGet { get; init; }

    /// <summary>A connection; that it opens is success.</summary>
    public TcpSocketAction? TcpSocket { get; init; }

    /// <summary>A call of <c>grpc.health.v1.Health/Check</c> without TLS; SERVING is success.</summary>
    public GrpcAction? Grpc { get; init; }

    /// <summary>Seconds from the container's start to the first one; absent: 0.</summary>
    public int? InitialDelaySeconds { get; init; }

    /// <summary>Seconds from one to the next; absent: 10.</summary>
    public int? PeriodSeconds { get; init; }

    /// <summary>Seconds that an answer may take; absent: 1.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>Successes in a row that count as success; absent: 1.</summary>
    public int? SuccessThreshold { get; init; }

    /// <summary>Failures in a row that count as failure; absent: 3.</summary>
    public int? FailureThreshold { get; init; }
}

/// <summary>Runs a command inside a container.</summary>
public sealed record ExecAction
{
    /// <summary>Program and arguments; no shell reads them.</summary>
    public required IReadOnlyList<string> Command { get; init; }
}

/// <summary>Asks by HTTP, from the node, at the workload's address.</summary>
public sealed record HttpGetAction
{
    /// <summary>Path and query; absent: <c>/</c>.</summary>
    public string? Path { get; init; }

    /// <summary>1 to 65535.</summary>
    public required int Port { get; init; }

    /// <summary>HTTP, or HTTPS with whatever certificate.</summary>
    public HttpScheme Scheme { get; init; }

    /// <summary>Headers to send.</summary>
    public IReadOnlyList<HttpHeader>? HttpHeaders { get; init; }
}

/// <summary>How HTTP travels.</summary>
public enum HttpScheme
{
    /// <summary>In the clear; the default.</summary>
    HTTP,

    /// <summary>By TLS; the certificate is not verified.</summary>
    HTTPS,
}

/// <summary>A header of a request.</summary>
public sealed record HttpHeader
{
    /// <summary>E.g. <c>Host</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Its value.</summary>
    public required string Value { get; init; }
}

/// <summary>Connects by TCP, from the node, to the workload's address.</summary>
public sealed record TcpSocketAction
{
    /// <summary>1 to 65535.</summary>
    public required int Port { get; init; }
}

/// <summary>Asks by gRPC's health checking protocol, from the node, at the workload's address.</summary>
public sealed record GrpcAction
{
    /// <summary>1 to 65535.</summary>
    public required int Port { get; init; }

    /// <summary>Which service; absent: the server as a whole.</summary>
    public string? Service { get; init; }
}
