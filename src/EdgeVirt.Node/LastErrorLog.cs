using EdgeVirt.Contracts.Api;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node;

/// <summary>Remembers the newest error that was logged, for the screen on the board.</summary>
internal sealed class LastErrorLog(TimeProvider time) : ILoggerProvider
{
    private const int LongestMessage = 500;

    private LocalError? last;

    /// <summary>Raised after it changed; handlers return at once.</summary>
    public event Action? Changed;

    /// <summary>Null: there was none since the agent started.</summary>
    public LocalError? Last => Volatile.Read(ref last);

    public ILogger CreateLogger(string categoryName) => new Listener(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void Dispose()
    {
    }

    private void Remember(string source, string message)
    {
        var line = message.ReplaceLineEndings(" ");
        Volatile.Write(ref last, new LocalError(time.GetUtcNow(), source, line.Length <= LongestMessage ? line : line[..LongestMessage]));
        Changed?.Invoke();
    }

    private sealed class Listener(LastErrorLog errors, string source) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel is LogLevel.Error or LogLevel.Critical;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                errors.Remember(source, exception is null ? formatter(state, null) : $"{formatter(state, exception)}: {exception.Message}");
            }
        }
    }
}
