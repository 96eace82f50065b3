using System.Collections.Concurrent;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Node.Containers;
using EdgeVirt.Node.Containers.Images;
using EdgeVirt.Node.Containers.Probes;

namespace EdgeVirt.Node.Tests.Containers;

/// <summary>Runs nothing, and remembers everything. What it holds outlives an agent, like the real one's containers.</summary>
internal sealed class FakeContainerRuntime(TimeProvider time) : IContainerRuntime
{
    private readonly ConcurrentDictionary<string, ContainerExit?> runs = new();
    private readonly ConcurrentDictionary<string, bool> sandboxes = new();
    private int addresses;

    public event Action<string>? Ended;

    public string Version => "fake 1";

    public IReadOnlyList<string> MissingControllers { get; set; } = [];

    public bool HasSeccomp { get; set; } = true;

    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>Container names whose start fails.</summary>
    public ConcurrentDictionary<string, string> FailingStarts { get; } = new();

    /// <summary>Image repositories whose containers fail to start.</summary>
    public ConcurrentDictionary<string, string> FailingVersions { get; } = new();

    public IEnumerable<string> Running => runs.Where(run => run.Value is null).Select(run => run.Key).Order(StringComparer.Ordinal);

    public IEnumerable<string> Sandboxes => sandboxes.Keys.Order(StringComparer.Ordinal);

    /// <summary>Environment given at the last start, by container id.</summary>
    public ConcurrentDictionary<string, IReadOnlyList<KeyValuePair<string, string>>> Environments { get; } = new();

    public void End(string id, int code)
    {
        runs[id] = new ContainerExit { Code = code, Reason = code == 0 ? "Completed" : "Error", FinishedAt = time.GetUtcNow() };
        Ended?.Invoke(id);
    }

    public void Reboot()
    {
        sandboxes.Clear();
        runs.Clear();
    }

    public Task RecoverAsync(CancellationToken ct) => Task.CompletedTask;

    public bool IsUsable(SandboxRecord sandbox) => sandboxes.ContainsKey(sandbox.Id);

    public SandboxRecord Allocate(SandboxRecord sandbox) => sandbox with { Address = $"10.88.0.{Interlocked.Increment(ref addresses)}" };

    public Task CreateSandboxAsync(SandboxRecord sandbox, WorkloadTarget target, CancellationToken ct)
    {
        Calls.Enqueue($"sandbox {sandbox.Id}");
        sandboxes[sandbox.Id] = true;
        return Task.CompletedTask;
    }

    /// <summary>Why ports cannot be moved; null: they can.</summary>
    public string? MoveFails { get; set; }

    public Task MovePortsAsync(SandboxRecord from, SandboxRecord to, CancellationToken ct)
    {
        Calls.Enqueue($"move ports {from.Id} to {to.Id}");
        return MoveFails is { } why ? throw new StartFailedException(why) : Task.CompletedTask;
    }

    public Task RemoveSandboxAsync(SandboxRecord sandbox, bool volumes, CancellationToken ct)
    {
        Calls.Enqueue($"remove sandbox {sandbox.Id}{(volumes ? " with volumes" : "")}");
        sandboxes.TryRemove(sandbox.Id, out _);
        return Task.CompletedTask;
    }

    public async Task<DateTimeOffset> StartAsync(ContainerStart start, CancellationToken ct)
    {
        Calls.Enqueue($"start {start.Record.Id}");
        if (FailingStarts.TryGetValue(start.Spec.Name, out var why) || FailingVersions.TryGetValue(start.Record.ImageDigest["sha256:".Length..], out why))
        {
            throw new StartFailedException(why);
        }

        await start.Durable;
        Environments[start.Record.Id] = start.Environment;
        runs[start.Record.Id] = null;
        return time.GetUtcNow();
    }

    /// <summary>What a container answers to probes and hooks, by its name; success where nothing is said.</summary>
    public ConcurrentDictionary<string, Func<ContainerAction, ActionAnswer>> Answers { get; } = new();

    /// <summary>What the answer of a container is waited for by, by its name.</summary>
    public ConcurrentDictionary<string, TaskCompletionSource<ActionAnswer>> Pending { get; } = new();

    public Task<ActionAnswer> ActAsync(ContainerRecord container, ContainerAction action, TimeSpan timeout, CancellationToken ct)
    {
        Calls.Enqueue($"ask {container.Id}");
        if (Pending.TryGetValue(container.Container, out var pending))
        {
            return pending.Task.WaitAsync(ct);
        }

        return Task.FromResult(Answers.TryGetValue(container.Container, out var answer) ? answer(action) : ActionAnswer.Success);
    }

    public ContainerExit? ExitOf(ContainerRecord container) => runs.TryGetValue(container.Id, out var exit)
        ? exit
        : new ContainerExit { Code = 255, Reason = "Lost", FinishedAt = time.GetUtcNow() };

    /// <summary>What was given at each stop.</summary>
    public ConcurrentQueue<TimeSpan> Graces { get; } = new();

    public Task StopAsync(ContainerRecord container, TimeSpan grace, CancellationToken ct)
    {
        Calls.Enqueue($"stop {container.Id}");
        Graces.Enqueue(grace);
        End(container.Id, 143);
        return Task.CompletedTask;
    }

    public Task EvictAsync(SandboxRecord sandbox, string why, CancellationToken ct)
    {
        Calls.Enqueue($"evict {sandbox.Id}");
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(ContainerRecord container, CancellationToken ct)
    {
        Calls.Enqueue($"release {container.Id}");
        runs.TryRemove(container.Id, out _);
        return Task.CompletedTask;
    }
}

/// <summary>Has any image at once, unless told otherwise.</summary>
internal sealed class FakeImages : IContainerImages
{
    /// <summary>What fetching an image waits for or throws.</summary>
    public ConcurrentDictionary<string, Func<CancellationToken, Task>> Trouble { get; } = new();

    /// <summary>References in the order in which they were asked for.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>Says which images must stay when a pull wants room; null: nobody told.</summary>
    public Func<CancellationToken, Task<ImagesInUse>>? WhoNeeds { get; private set; }

    public void MakeRoomBy(Func<CancellationToken, Task<ImagesInUse>> needed) => WhoNeeds = needed;

    public async Task<StoredImage> EnsureAsync(ImageReference reference, ImagePullPolicy policy, CancellationToken ct)
    {
        Asked.Enqueue(reference.ToString());
        if (Trouble.TryGetValue(reference.ToString(), out var trouble))
        {
            await trouble(ct);
        }

        return new StoredImage("sha256:" + reference.Repository, new ImageConfig { Cmd = ["/bin/true"] }, ["/"]);
    }

    public Task CollectGarbageAsync(IReadOnlySet<string> manifestDigestsInUse, CancellationToken ct) => Task.CompletedTask;
}
