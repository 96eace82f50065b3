using EdgeVirt.Hub.Resources;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Tests.Resources;

internal sealed class SqliteResourceStoreTests : ResourceStoreContract
{
    private DataDirectory directory = null!;
    private HubDatabase database = null!;
    private SecretsKey key = null!;

    [SetUp]
    public void Open()
    {
        directory = new DataDirectory();
        Store = OpenStore();
    }

    [TearDown]
    public void Close()
    {
        key.Dispose();
        database.Dispose();
        directory.Dispose();
    }

    [Test]
    public async Task Leaves_no_value_of_a_secret_readable_on_the_disk()
    {
        await Apply(Manifests.Secret("db", "hunter2-plain-text"));
        key.Dispose();
        database.Dispose();
        foreach (var file in Directory.GetFiles(directory.Path))
        {
            Assert.That(System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, Soon)), Does.Not.Contain("hunter2-plain-text"), file);
        }

        Store = OpenStore();
    }

    protected override ResourceStore Reopen()
    {
        key.Dispose();
        database.Dispose();
        return OpenStore();
    }

    private ResourceStore OpenStore()
    {
        database = directory.OpenDatabase();
        key = SecretsKey.Open(directory.Options.SecretsKeyFile, database);
        return new ResourceStore(database, key, TimeProvider.System) { KeptChanges = 64 };
    }
}
