namespace EdgeVirt.Node.VirtualMachines.Qmp;

/// <summary>Why a connection to a QEMU cannot go on.</summary>
internal enum QmpFault
{
    /// <summary>Nobody listens, or the other end hung up: QEMU ended, or the socket is not there yet.</summary>
    Closed,

    /// <summary>QEMU did not answer in time.</summary>
    Hung,

    /// <summary>What came is not the protocol.</summary>
    Junk,

    /// <summary>More came than anybody can take.</summary>
    Flooded,
}

/// <summary>A connection to a QEMU ended or was never made. The guest may run on; a new connection tells.</summary>
internal sealed class QmpException(QmpFault fault, string message, Exception? inner = null) : IOException(message, inner)
{
    public QmpFault Fault { get; } = fault;
}

/// <summary>QEMU refused one command; the connection goes on.</summary>
/// <param name="command">Which.</param>
/// <param name="errorClass">QEMU's word, e.g. <c>GenericError</c>, <c>CommandNotFound</c>, <c>DeviceNotActive</c>.</param>
/// <param name="description">QEMU's sentence.</param>
internal sealed class QmpCommandException(string command, string errorClass, string description)
    : IOException($"QEMU refuses {command}: {description}")
{
    public string ErrorClass { get; } = errorClass;
}
