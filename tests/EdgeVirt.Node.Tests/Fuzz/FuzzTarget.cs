namespace EdgeVirt.Node.Tests.Fuzz;

/// <summary>Code that reads what others wrote, and the inputs from which mutation starts.</summary>
internal abstract class FuzzTarget : IDisposable
{
    /// <summary>As <c>./dev fuzz</c> takes it.</summary>
    public abstract string Name { get; }

    /// <summary>Valid inputs.</summary>
    public abstract IReadOnlyList<byte[]> Corpus { get; }

    /// <summary>Most bytes that one input may make the managed heap hand out, its own length aside; the read code streams.</summary>
    public virtual long MaxAllocatedBytes => 64 << 20;

    /// <summary>Takes one input. Exceptions that the code documents are caught here; any other is a fault.</summary>
    /// <exception cref="FuzzFaultException">Something happened that must not.</exception>
    public abstract void Take(byte[] input);

    /// <summary>All targets, each made when it is asked for.</summary>
    public static IReadOnlyDictionary<string, Func<FuzzTarget>> All { get; } = new Dictionary<string, Func<FuzzTarget>>
    {
        ["layer"] = () => new LayerTarget(),
        ["manifest"] = () => new ManifestTarget(),
        ["headers"] = () => new HeadersTarget(),
        ["toc"] = () => new ContentsTarget(),
    };

    public virtual void Dispose()
    {
    }

    protected static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new FuzzFaultException(otherwise);
        }
    }
}

/// <summary>A target did what it must not.</summary>
internal sealed class FuzzFaultException(string message, Exception? inner = null) : Exception(message, inner);
