using EdgeVirt.Node.Containers.Images;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Tests.Containers.Images;

/// <summary>What the image store said.</summary>
internal sealed class LogCollector : LogCollector<ImageStore>;

/// <summary>What something said, a line a message.</summary>
internal class LogCollector<T> : ILogger<T>
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
        {
            _lines.Add(formatter(state, exception));
        }
    }
}
