using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Cli.Local;

/// <summary>What the agent answered.</summary>
/// <param name="Data">All data.</param>
/// <param name="Words">Its last words, for people; empty: none.</param>
internal sealed record AgentAnswer(byte[] Data, string Words);

/// <summary>One question to the agent on this machine, and its answer.</summary>
internal static class AgentQuestion
{
    /// <summary>Asks.</summary>
    /// <param name="invocation">Says where the agent is.</param>
    /// <param name="open">The question.</param>
    /// <param name="limit">How long the answer may take.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="CliException">The agent is out of reach, too slow, or refuses.</exception>
    public static async Task<AgentAnswer> AskAsync(Invocation invocation, OpenChannel open, TimeSpan limit, CancellationToken ct)
    {
        using var timed = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var timer = invocation.Terminal.Time.CreateTimer(_ => timed.Cancel(), null, limit, Timeout.InfiniteTimeSpan);
        try
        {
            using var agent = await LocalAgent.ConnectAsync(invocation, timed.Token);
            using var answer = new MemoryStream();
            await foreach (var piece in agent.OpenAsync(open, timed.Token))
            {
                answer.Write(piece.Span);
            }

            return new AgentAnswer(answer.ToArray(), agent.LastWords);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Timeout, $"the agent did not answer within {Durations.Format(limit)}.", "Look at its log; a longer --timeout gives it more time.");
        }
    }
}
