using System.Text.Json;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;
using EdgeVirt.Hub.Storage;
using Microsoft.Data.Sqlite;

namespace EdgeVirt.Hub.Resources;

/// <summary>
/// Every resource of the fleet. A change is on the disk when its task ends, and raises the one resourceVersion that
/// all resources share; generation rises only when the meaning of a spec changes. Values of Secrets lie encrypted and
/// leave only through <see cref="RevealSecretAsync"/>.
/// </summary>
internal sealed partial class ResourceStore
{
    private const int TrimEvery = 128;

    private readonly HubDatabase database;
    private readonly SecretsKey key;
    private readonly TimeProvider time;

    public ResourceStore(HubDatabase database, SecretsKey key, TimeProvider time)
    {
        (this.database, this.key, this.time) = (database, key, time);
        database.Migrate("resources", ResourceTables.Migrations);
    }

    /// <summary>Changes that the log keeps for watches.</summary>
    public int KeptChanges { get; init; } = 8192;

    /// <summary>Bytes of changes that the log keeps for watches.</summary>
    public long KeptBytes { get; init; } = 64 << 20;

    /// <summary>The resource, null if there is none. A Secret comes with its values empty.</summary>
    public Task<Resource?> GetAsync(ResourceKind kind, string name, CancellationToken ct) =>
        database.ReadAsync(connection => ResourceTables.Find(connection, kind.Name, name)?.Shown, ct);

    /// <summary>All of a kind, ordered by name, and the version to watch from.</summary>
    public Task<ResourceList> ListAsync(ResourceKind kind, CancellationToken ct) => ListAsync(kind.Name, ct);

    /// <summary>All of every kind, ordered by kind and name, and the version to watch from.</summary>
    public Task<ResourceList> ListAllAsync(CancellationToken ct) => ListAsync((string?)null, ct);

    /// <summary>
    /// Applies all or nothing: creates what is missing, changes what differs. <paramref name="record"/> may write about it
    /// in the same transaction.
    /// </summary>
    /// <exception cref="ConflictException">A manifest carries a resourceVersion that is not the newest.</exception>
    /// <exception cref="InvalidResourceException">The rules do not allow it.</exception>
    public Task<ApplyResult> ApplyAsync(
        IReadOnlyList<Resource> resources, CancellationToken ct, Action<SqliteConnection, IReadOnlyList<AppliedResource>>? record = null) =>
        ApplyAsync(resources, dryRun: false, record, ct);

    /// <summary>What applying would do, without doing it.</summary>
    public Task<ApplyResult> DryRunAsync(IReadOnlyList<Resource> resources, CancellationToken ct) => ApplyAsync(resources, dryRun: true, null, ct);

    /// <summary>Creates a resource on the hub's own account: the rules for operators do not hold.</summary>
    /// <exception cref="ConflictException">The name is taken.</exception>
    public async Task<Resource> CreateAsync(Resource resource, CancellationToken ct)
    {
        var created = await database.WriteAsync(
            (connection, _) => ResourceTables.Find(connection, resource.Kind, resource.Metadata.Name) is null
                ? Create(connection, resource)
                : throw new ConflictException($"{resource.Kind}/{resource.Metadata.Name} exists already.", "Choose another name."),
            ct);
        Wake();
        return created;
    }

    /// <summary>Deletes a resource; false if there was none. <paramref name="record"/> may write about it in the same transaction.</summary>
    public async Task<bool> DeleteAsync(ResourceKind kind, string name, CancellationToken ct, Action<SqliteConnection>? record = null)
    {
        var deleted = await database.WriteAsync(
            (connection, _) =>
            {
                if (ResourceTables.Find(connection, kind.Name, name) is not { } stored)
                {
                    return false;
                }

                var last = stored.Shown with { Metadata = stored.Shown.Metadata with { ResourceVersion = NextVersion(connection) } };
                ResourceTables.Delete(connection, last);
                record?.Invoke(connection);
                return true;
            },
            ct);
        if (deleted)
        {
            Wake();
        }

        return deleted;
    }

    /// <summary>
    /// Lets <paramref name="change"/> make the new status of the newest form of a resource. Null, or a status equal to
    /// the one that is there, changes nothing. The generation stays.
    /// </summary>
    /// <returns>Whether anything changed; false also if the resource does not exist.</returns>
    public async Task<bool> UpdateStatusAsync(ResourceKind kind, string name, Func<Resource, JsonElement?> change, CancellationToken ct)
    {
        var changed = await database.WriteAsync(
            (connection, _) =>
            {
                if (ResourceTables.Find(connection, kind.Name, name) is not { } stored ||
                    change(stored.Shown) is not { } status ||
                    (stored.Shown.Status is { } current && JsonElement.DeepEquals(status, current)))
                {
                    return false;
                }

                var metadata = stored.Shown.Metadata with { ResourceVersion = NextVersion(connection) };
                ResourceTables.Put(connection, stored with { Shown = stored.Shown with { Status = status, Metadata = metadata } }, stored.Shown);
                return true;
            },
            ct);
        if (changed)
        {
            Wake();
        }

        return changed;
    }

    /// <summary>Values of a Secret, for a node's document and nothing else; null if there is no such Secret.</summary>
    public Task<IReadOnlyDictionary<string, byte[]>?> RevealSecretAsync(string name, CancellationToken ct) =>
        database.ReadAsync(
            connection => ResourceTables.Find(connection, ResourceKind.Secret.Name, name) is { } stored
                ? ResourceSpecs.UnsealSecret(key, stored)
                : null,
            ct);

    private Task<ResourceList> ListAsync(string? kind, CancellationToken ct) =>
        database.ReadAsync(
            connection => new ResourceList
            {
                ResourceVersion = ResourceTables.Version(connection),
                Items = ResourceTables.List(connection, kind),
            },
            ct);

    private async Task<ApplyResult> ApplyAsync(
        IReadOnlyList<Resource> resources, bool dryRun, Action<SqliteConnection, IReadOnlyList<AppliedResource>>? record, CancellationToken ct)
    {
        var applied = await database.WriteAsync(
            (connection, transaction) =>
            {
                var errors = new List<FieldError>();
                var items = resources.Select(resource => Apply(connection, resource, errors)).ToList();
                errors.AddRange(StartOrderRules.Check(resources, () => ResourceTables.List(connection, ResourceKind.Workload.Name)));
                errors.AddRange(SharedNameRules.Check(resources, (kind, name) => ResourceTables.Find(connection, kind, name) is not null));
                if (errors.Count > 0)
                {
                    throw new InvalidResourceException(errors);
                }

                record?.Invoke(connection, items);
                if (dryRun)
                {
                    transaction.Rollback();
                }

                return items;
            },
            ct);
        if (!dryRun && applied.Any(item => item.Outcome != "unchanged"))
        {
            Wake();
        }

        return new ApplyResult { Items = applied };
    }

    private AppliedResource Apply(SqliteConnection connection, Resource wanted, List<FieldError> errors)
    {
        var stored = ResourceTables.Find(connection, wanted.Kind, wanted.Metadata.Name);
        CheckVersion(wanted, stored?.Shown);
        errors.AddRange(ResourceRules.Check(wanted, stored?.Shown));
        var (result, outcome) = stored is null ? (Create(connection, wanted), "created") : Change(connection, wanted, stored);
        return new AppliedResource(result.Kind, result.Metadata.Name, outcome, result.Metadata.Generation ?? 1);
    }

    private static void CheckVersion(Resource wanted, Resource? current)
    {
        var name = $"{wanted.Kind}/{wanted.Metadata.Name}";
        const string Hint = "Get it again, make the change there, and apply that.";
        if (current is null && (wanted.Metadata.ResourceVersion is not null || wanted.Metadata.Uid is not null))
        {
            throw new ConflictException(
                $"{name} no longer exists, but the manifest carries its uid or resourceVersion.", "To create it anew, remove both from the manifest.");
        }

        if (current is not null && wanted.Metadata.Uid is { } uid && uid != current.Metadata.Uid)
        {
            throw new ConflictException($"{name} is no longer the one with uid {uid}: it was deleted and created anew.", Hint);
        }

        if (current is not null && wanted.Metadata.ResourceVersion is { } version && version != current.Metadata.ResourceVersion)
        {
            throw new ConflictException($"{name} has changed: it is at resourceVersion {current.Metadata.ResourceVersion}, the manifest is from {version}.", Hint);
        }
    }

    private Resource Create(SqliteConnection connection, Resource wanted)
    {
        var uid = Guid.NewGuid().ToString();
        var (spec, confidential) = (wanted.Spec, (byte[]?)null);
        if (wanted.Kind == ResourceKind.Secret.Name)
        {
            var data = ResourceSpecs.MergeSecret(wanted.SpecOf<SecretSpec>(), null, cameFromHere: false);
            (spec, confidential) = (ResourceSpecs.ShowSecret(data), ResourceSpecs.SealSecret(key, uid, data));
        }

        var resource = wanted with
        {
            Spec = spec,
            Metadata = wanted.Metadata with
            {
                Uid = uid,
                Generation = 1,
                ResourceVersion = NextVersion(connection),
                CreationTimestamp = time.GetUtcNow(),
            },
        };
        ResourceTables.Put(connection, new StoredResource(resource, confidential), null);
        return resource;
    }

    private (Resource Result, string Outcome) Change(SqliteConnection connection, Resource wanted, StoredResource stored)
    {
        var current = stored.Shown;
        var (spec, confidential, same) = (wanted.Spec, stored.Sealed, false);
        if (wanted.Kind == ResourceKind.Secret.Name)
        {
            var held = ResourceSpecs.UnsealSecret(key, stored);
            var data = ResourceSpecs.MergeSecret(wanted.SpecOf<SecretSpec>(), held, cameFromHere: wanted.Metadata.Uid is not null);
            same = ResourceSpecs.SameSecret(held, data);
            (spec, confidential) = same
                ? (current.Spec, stored.Sealed)
                : (ResourceSpecs.ShowSecret(data), ResourceSpecs.SealSecret(key, current.Metadata.Uid!, data));
        }
        else
        {
            same = ResourceSpecs.Same(wanted.Kind, wanted.Spec, current.Spec);
        }

        // Labels and annotations that a manifest does not mention stay; those that it gives replace all.
        var labels = wanted.Metadata.Labels ?? current.Metadata.Labels;
        var annotations = wanted.Metadata.Annotations ?? current.Metadata.Annotations;
        if (same && SameMap(labels, current.Metadata.Labels) && SameMap(annotations, current.Metadata.Annotations))
        {
            return (current, "unchanged");
        }

        var resource = current with
        {
            Spec = same ? current.Spec : spec,
            Metadata = current.Metadata with
            {
                Labels = labels,
                Annotations = annotations,
                Generation = current.Metadata.Generation + (same ? 0 : 1),
                ResourceVersion = NextVersion(connection),
            },
        };
        ResourceTables.Put(connection, new StoredResource(resource, confidential), current);
        return (resource, "configured");
    }

    private long NextVersion(SqliteConnection connection)
    {
        var version = ResourceTables.NextVersion(connection);
        if (version % TrimEvery == 0)
        {
            ResourceTables.Trim(connection, KeptChanges, KeptBytes);
        }

        return version;
    }

    private static bool SameMap(IReadOnlyDictionary<string, string>? one, IReadOnlyDictionary<string, string>? other) =>
        (one?.Count ?? 0) == (other?.Count ?? 0) && Labels.Match(one, other);
}
