using System.Globalization;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node;

/// <summary>
/// Logs to standard error, one line per event, exceptions flattened into it. A service manager adds what else it wants;
/// a logging framework's queue and formatter would cost memory that a board has better uses for.
/// </summary>
internal sealed class LineLoggerProvider(TimeProvider time, LogLevel least) : ILoggerProvider
{
    private readonly Lock gate = new();

    public ILogger CreateLogger(string categoryName) => new LineLogger(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void Dispose()
    {
    }

    private void Write(string line)
    {
        lock (gate)
        {
            try
            {
                Console.Error.WriteLine(line);
            }
            catch (IOException)
            {
                // Nobody listens any more; the node goes on.
            }
        }
    }

    private sealed class LineLogger(LineLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= provider.Least && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var now = provider.Time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
            var level = logLevel switch
            {
                LogLevel.Trace or LogLevel.Debug => "debug",
                LogLevel.Information => "info",
                LogLevel.Warning => "warn",
                LogLevel.Error => "error",
                _ => "fatal",
            };
            var text = exception is null ? formatter(state, null) : $"{formatter(state, exception)}: {exception}";
            provider.Write($"{now} {level} {category}: {text.ReplaceLineEndings(" | ")}");
        }
    }

    private TimeProvider Time => time;

    private LogLevel Least => least;
}
