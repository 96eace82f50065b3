using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Boards;
using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// Waits until the node is enrolled: by the token file, or by a technician over the control socket. A token that is
/// refused is named once in the log and tried again slowly; a new token is tried at once.
/// </summary>
internal sealed partial class EnrollmentLoop(
    NodeOptions options, Enrollment enrollment, IdentityFiles identities, NodeConditions conditions, TimeProvider time, ILogger<EnrollmentLoop> log)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    private string? lastComplaint;

    /// <summary>The identity, as soon as there is one.</summary>
    public async Task<Identity> WaitAsync(CancellationToken ct)
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(15));
        while (true)
        {
            var changed = identities.Changed;
            if (identities.Current is { } identity)
            {
                return identity;
            }

            if (identities.Problem is { } problem)
            {
                Complain(EnrolledReasons.KeyUnavailable, problem);
                await Task.WhenAny(changed, Task.Delay(backoff.Next(), time, ct));
                ct.ThrowIfCancellationRequested();
                identities.TryAgain();
                continue;
            }

            var text = ReadTokenFile();
            if (await TryAsync(text, ct))
            {
                DeleteTokenFile();
                continue;
            }

            await WaitForNewsAsync(text, text is null ? TimeSpan.MaxValue : backoff.Next(), changed, ct);
        }
    }

    // Until the delay is over, the token file says something else, or somebody else enrolled the node.
    private async Task WaitForNewsAsync(string? text, TimeSpan delay, Task changed, CancellationToken ct)
    {
        var since = time.GetTimestamp();
        while (!changed.IsCompleted && ReadTokenFile() == text && time.GetElapsedTime(since) is var passed && passed < delay)
        {
            var next = delay - passed < Look ? delay - passed : Look;
            await Task.WhenAny(changed, Task.Delay(next, time, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private async Task<bool> TryAsync(string? text, CancellationToken ct)
    {
        if (text is null)
        {
            Complain(EnrolledReasons.NotEnrolled, $"The node is not enrolled. {HowToGiveToken} or run 'edgevirt node enroll' on it.");
            return false;
        }

        if (!ClaimToken.TryParse(text, out var token))
        {
            Complain(EnrolledReasons.TokenRefused, $"{options.ClaimTokenFile} holds no claim token. Put the text there that 'edgevirt node claim create' printed.");
            return false;
        }

        if (!HubAddress.TryParse(options.Hub ?? options.BoardHub, out var hub))
        {
            Complain(EnrolledReasons.NotEnrolled, "There is a claim token, but no hub to show it to. Say which with --hub host:port.");
            return false;
        }

        try
        {
            var identity = await enrollment.EnrollAsync(hub, token, options.NodeName, ct);
            LogEnrolled(identity.Node, hub);
            return true;
        }
        catch (HubRefusedException e)
        {
            Complain(EnrolledReasons.TokenRefused, $"The hub refused claim token {token}: {e.Message}");
            return false;
        }
        catch (HubUnavailableException e)
        {
            Complain(EnrolledReasons.HubUnreachable, e.Message);
            return false;
        }
    }

    // What the board's screen shows where nobody can log in.
    private string HowToGiveToken => options.ClaimTokenFile == BoardPaths.ClaimTokenOf(options.DataDir)
        ? $"Write a claim token into {BoardSettings.DirectoryName}/{BoardSettings.FileName} on the first partition of its card, on any computer, and start the board again;"
        : "Give it a claim token with --claim-token-file,";

    private void Complain(string reason, string message)
    {
        conditions.Set(ConditionTypes.Enrolled, ConditionStatus.False, reason, message);
        if (lastComplaint != message)
        {
            lastComplaint = message;
            LogNotEnrolled(message);
        }
    }

    private string? ReadTokenFile()
    {
        try
        {
            return options.ClaimTokenFile is { } path && File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 } text ? text : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void DeleteTokenFile()
    {
        try
        {
            if (options.ClaimTokenFile is { } path)
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogTokenLeft(options.ClaimTokenFile!, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Enrolled as {Node} with {Hub}")]
    private partial void LogEnrolled(string node, HubAddress hub);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Message}")]
    private partial void LogNotEnrolled(string message);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The used claim token in {Path} could not be removed; remove it")]
    private partial void LogTokenLeft(string path, Exception e);
}
