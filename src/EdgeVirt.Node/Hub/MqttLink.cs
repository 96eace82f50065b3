using System.Buffers;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Protos;
using EdgeVirt.Linux;
using EdgeVirt.Node.Reconcile;
using EdgeVirt.Node.State;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Protocol;

namespace EdgeVirt.Node.Hub;

/// <summary>
/// The standing link to the hub: presence, status and telemetry go up, pokes come down. It reconnects for as long as it
/// runs, with jittered backoff, so that a fleet whose hub restarted does not come back in step.
/// </summary>
internal sealed partial class MqttLink(
    NodeOptions options, IdentityFiles identities, NodeStore store, Enrollment enrollment, TimeProvider time, ILogger<MqttLink> log) : IHubPublisher
{
    private static readonly TimeSpan AcknowledgeWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan WhenRefused = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private TaskCompletionSource connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IMqttClient? client;
    private string? lastComplaint;
    private DateTimeOffset? connectedSince;

    /// <summary>Raised when the hub pokes; handlers return at once.</summary>
    public event Action<PokeReason>? Poked;

    /// <summary>Raised when the link has come up; handlers return at once.</summary>
    public event Action? Connected;

    /// <summary>Raised when <see cref="State"/> may say something else; handlers return at once.</summary>
    public event Action? StateChanged;

    /// <summary>Since when the link is up, and while it is not, why.</summary>
    public (DateTimeOffset? ConnectedSince, string? Problem) State
    {
        get
        {
            lock (gate)
            {
                return (connectedSince, lastComplaint);
            }
        }
    }

    public bool IsConnected
    {
        get
        {
            lock (gate)
            {
                return connected.Task.IsCompleted;
            }
        }
    }

    public async Task WhenConnectedAsync(CancellationToken ct)
    {
        Task up;
        lock (gate)
        {
            up = connected.Task;
        }

        await up.WaitAsync(ct);
    }

    public async Task PublishAsync(TopicChannel channel, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        IMqttClient? link;
        lock (gate)
        {
            link = connected.Task.IsCompleted ? client : null;
        }

        if (link is null || identities.Current is not { } identity)
        {
            throw new HubUnavailableException("The link to the hub is down.");
        }

        var message = new MqttApplicationMessage
        {
            Topic = new Topic(identity.Node, channel).ToString(),
            Payload = new ReadOnlySequence<byte>(payload),
            QualityOfServiceLevel = channel == TopicChannel.Presence ? MqttQualityOfServiceLevel.AtMostOnce : MqttQualityOfServiceLevel.AtLeastOnce,
        };
        using var timer = new CancellationTokenSource(AcknowledgeWithin, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, ct);
        try
        {
            var result = await link.PublishAsync(message, either.Token);
            if (result.ReasonCode == MqttClientPublishReasonCode.PayloadFormatInvalid)
            {
                throw new MessageRefusedException($"The hub cannot read a message on {message.Topic}: {result.ReasonString}");
            }

            if (!result.IsSuccess)
            {
                throw new HubUnavailableException($"The hub refused a message: {result.ReasonCode} {result.ReasonString}");
            }
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new HubUnavailableException("The hub did not acknowledge in time.", e);
        }
        catch (Exception e) when (e is MqttCommunicationException or ObjectDisposedException or InvalidOperationException)
        {
            throw new HubUnavailableException($"The link to the hub broke: {e.Message}", e);
        }
    }

    /// <summary>Keeps the link up until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1));
        while (!ct.IsCancellationRequested)
        {
            try
            {
                if (!await enrollment.RenewIfDueAsync(ct))
                {
                    throw new HubRefusedException("The hub refuses to renew this node's certificate.");
                }

                await LiveAsync(backoff.Reset, ct);
            }
            catch (HubRefusedException e)
            {
                Complain(e);
                await Task.Delay(WhenRefused * (0.5 + Random.Shared.NextDouble()), time, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested && e is HubUnavailableException or MqttCommunicationException or OperationCanceledException or IOException)
            {
                Complain(e);
            }

            await Task.Delay(backoff.Next(), time, ct);
        }
    }

    private async Task LiveAsync(Action onUp, CancellationToken ct)
    {
        var identity = identities.Current ?? throw new HubUnavailableException("The node is not enrolled.");
        using var link = new MqttClientFactory().CreateMqttClient();
        var down = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        link.DisconnectedAsync += gone =>
        {
            down.TrySetResult(gone.Exception?.Message ?? gone.ReasonString ?? gone.Reason.ToString());
            return Task.CompletedTask;
        };
        link.ApplicationMessageReceivedAsync += OnMessageAsync;

        string? refusal = null;
        using (var timer = new CancellationTokenSource(ConnectWithin, time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, ct))
        {
            try
            {
                var answer = await link.ConnectAsync(await OptionsAsync(identity, problem => refusal = problem, ct), either.Token);
                if (answer.ResultCode is MqttClientConnectResultCode.NotAuthorized or MqttClientConnectResultCode.Banned)
                {
                    throw new HubRefusedException($"The hub refuses this node: {answer.ReasonString}. To bring it back, enroll it with a new claim token.");
                }

                if (answer.ResultCode != MqttClientConnectResultCode.Success)
                {
                    throw new HubUnavailableException($"The hub refused the link: {answer.ResultCode} {answer.ReasonString}");
                }

                await link.SubscribeAsync(Topic.DownstreamFilter(identity.Node), MqttQualityOfServiceLevel.AtLeastOnce, either.Token);
            }
            catch (Exception e) when (!ct.IsCancellationRequested && e is MqttCommunicationException or OperationCanceledException)
            {
                throw new HubUnavailableException($"{identity.Hub.Host}:{identity.MqttPort}: {refusal ?? e.InnerException?.Message ?? e.Message}", e);
            }
        }

        try
        {
            SetUp(link);
            onUp();
            LogUp(identity.Hub, identity.Node);
            Connected?.Invoke();
            await HeartbeatAsync(down.Task, ct);
            var reason = await down.Task;
            LogDown(reason);
        }
        finally
        {
            SetDown();
            link.ApplicationMessageReceivedAsync -= OnMessageAsync;
            if (ct.IsCancellationRequested && link.IsConnected)
            {
                await SayGoodbyeAsync(link);
            }
        }
    }

    private async Task HeartbeatAsync(Task down, CancellationToken ct)
    {
        while (!down.IsCompleted)
        {
            try
            {
                await PublishAsync(TopicChannel.Presence, await PresenceAsync(online: true, ct), ct);
            }
            catch (HubUnavailableException) when (down.IsCompleted)
            {
                return;
            }

            await Task.WhenAny(down, Task.Delay(TimeSpan.FromSeconds(options.HeartbeatSeconds), time, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private async Task<byte[]> PresenceAsync(bool online, CancellationToken ct) => new Presence
    {
        Online = online,
        BootId = SystemFacts.BootId ?? "",
        AgentVersion = AgentVersion.Text,
        DesiredRevision = (await store.ReadDesiredAsync(ct)).Revision,
        HeartbeatSeconds = (uint)options.HeartbeatSeconds,
    }.ToByteArray();

    private async Task<MqttClientOptions> OptionsAsync(Identity identity, Action<string> refused, CancellationToken ct)
    {
        var host = identity.Hub.Host.Trim('[', ']');
        return new MqttClientOptionsBuilder()
            .WithTcpServer(host, identity.MqttPort)
            .WithProtocolVersion(MQTTnet.Formatter.MqttProtocolVersion.V500)
            .WithClientId(identity.Node)
            .WithCleanStart()
            .WithSessionExpiryInterval(0)
            .WithKeepAlivePeriod(TimeSpan.FromSeconds(options.HeartbeatSeconds))
            .WithTimeout(ConnectWithin)
            .WithWillTopic(new Topic(identity.Node, TopicChannel.Presence).ToString())
            .WithWillPayload(await PresenceAsync(online: false, ct))
            .WithTlsOptions(tls => tls
                .UseTls()
                .WithTargetHost(host)
                .WithSslProtocols(System.Security.Authentication.SslProtocols.None)
                .WithClientCertificates([identity.Certificate])
                .WithCertificateValidationHandler(seen =>
                {
                    var problem = HubTrust.ProblemOf(
                        seen.Certificate as System.Security.Cryptography.X509Certificates.X509Certificate2, identity.Authority, host, identities.Now);
                    if (problem is not null)
                    {
                        refused(problem);
                    }

                    return problem is null;
                }))
            .Build();
    }

    private Task OnMessageAsync(MqttApplicationMessageReceivedEventArgs received)
    {
        if (Topic.TryParse(received.ApplicationMessage.Topic, out var topic) && topic.Channel == TopicChannel.Poke)
        {
            try
            {
                Poked?.Invoke(Poke.Parser.ParseFrom(received.ApplicationMessage.Payload).Reason);
            }
            catch (InvalidProtocolBufferException e)
            {
                LogBadPoke(e);
            }
        }

        return Task.CompletedTask;
    }

    // The will tells the hub when the link breaks; a clean end has to say it itself.
    private async Task SayGoodbyeAsync(IMqttClient link)
    {
        using var timer = new CancellationTokenSource(TimeSpan.FromSeconds(2), time);
        try
        {
            await link.DisconnectAsync(
                new MqttClientDisconnectOptions { Reason = MqttClientDisconnectOptionsReason.DisconnectWithWillMessage }, timer.Token);
        }
        catch (Exception e) when (e is MqttCommunicationException or OperationCanceledException)
        {
            LogDown(e.Message);
        }
    }

    private void SetUp(IMqttClient link)
    {
        lock (gate)
        {
            lastComplaint = null;
            client = link;
            connectedSince = time.GetUtcNow();
            connected.TrySetResult();
        }

        StateChanged?.Invoke();
    }

    private void SetDown()
    {
        lock (gate)
        {
            client = null;
            connectedSince = null;
            connected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        StateChanged?.Invoke();
    }

    // A hub that is away for a week is one line in the log, not ten thousand.
    private void Complain(Exception e)
    {
        if (lastComplaint != e.Message)
        {
            lock (gate)
            {
                lastComplaint = e.Message;
            }

            LogUnreachable(e.Message);
            StateChanged?.Invoke();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Connected to hub {Hub} as {Node}")]
    private partial void LogUp(HubAddress hub, string node);

    [LoggerMessage(Level = LogLevel.Information, Message = "The link to the hub is down: {Reason}")]
    private partial void LogDown(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cannot reach the hub, will keep trying: {Reason}")]
    private partial void LogUnreachable(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A poke could not be read")]
    private partial void LogBadPoke(Exception e);
}
