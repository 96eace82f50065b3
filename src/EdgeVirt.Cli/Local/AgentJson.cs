using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EdgeVirt.Cli.Interactive;
using EdgeVirt.Contracts.Channels;

namespace EdgeVirt.Cli.Local;

/// <summary>What an agent answers as JSON.</summary>
internal static class AgentJson
{
    /// <summary>All that a channel brings.</summary>
    /// <exception cref="CliException">It is not what was asked for.</exception>
    public static async Task<T> ReadAsync<T>(ClientChannel channel, JsonTypeInfo<T> type, CancellationToken ct)
        where T : class
    {
        await using var stream = new MessageReadStream(channel.ReadAllAsync(ct));
        try
        {
            return await JsonSerializer.DeserializeAsync(stream, type, ct) ?? throw new JsonException("it is null");
        }
        catch (JsonException fault)
        {
            throw Unreadable(fault);
        }
    }

    /// <inheritdoc cref="ReadAsync"/>
    public static T Read<T>(ReadOnlySpan<byte> answer, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(answer, type) ?? throw new JsonException("it is null");
        }
        catch (JsonException fault)
        {
            throw Unreadable(fault);
        }
    }

    public static CliException Unreadable(Exception fault) =>
        new(ExitCodes.Failure, $"the agent's answer cannot be read: {fault.Message}", "Compare the versions of agent and client.");
}
