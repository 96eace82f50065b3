using System.Security.Cryptography;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Tests.Storage;

internal sealed class HubDatabaseTests
{
    private DataDirectory directory = null!;

    [SetUp]
    public void Make() => directory = new DataDirectory();

    [TearDown]
    public void Remove() => directory.Dispose();

    [Test]
    public async Task Refuses_a_damaged_file_says_what_to_do_and_leaves_it_as_it_is([Values(0, 12288)] int at)
    {
        await FillAsync();
        var bytes = await File.ReadAllBytesAsync(directory.Options.DatabaseFile);
        RandomNumberGenerator.Fill(bytes.AsSpan(at, 3000));
        await File.WriteAllBytesAsync(directory.Options.DatabaseFile, bytes);
        var fault = Assert.Throws<HubStorageException>(() => directory.OpenDatabase().Dispose())!;
        Assert.That(fault.Message, Does.Contain("damaged").And.Contain("backup").And.Contain(directory.Options.DatabaseFile));
        Assert.That(await File.ReadAllBytesAsync(directory.Options.DatabaseFile), Is.EqualTo(bytes));
    }

    [Test]
    public void Refuses_a_second_hub_on_the_same_directory()
    {
        using var first = directory.OpenDatabase();
        Assert.That(() => directory.OpenDatabase(), Throws.TypeOf<HubStorageException>().With.Message.Contains("in use"));
    }

    [Test]
    public void Refuses_a_file_of_a_newer_hub()
    {
        using var database = directory.OpenDatabase();
        database.Migrate("x", ["CREATE TABLE a (b)", "CREATE TABLE c (d)"]);
        Assert.That(() => database.Migrate("x", ["CREATE TABLE a (b)"]), Throws.TypeOf<HubStorageException>().With.Message.Contains("newer"));
    }

    [Test]
    public async Task Rolls_back_what_throws()
    {
        using var database = directory.OpenDatabase();
        database.Migrate("x", ["CREATE TABLE a (b)"]);
        await Assert.ThrowsAsync<InvalidOperationException>(() => database.WriteAsync<int>(
            (connection, _) =>
            {
                connection.Execute("INSERT INTO a VALUES (1)");
                throw new InvalidOperationException();
            },
            CancellationToken.None));
        Assert.That(await database.ReadAsync(connection => connection.Scalar<long>("SELECT COUNT(*) FROM a"), CancellationToken.None), Is.Zero);
    }

    [Test]
    public void Refuses_another_key_than_the_one_that_sealed()
    {
        using (var database = directory.OpenDatabase())
        {
            SecretsKey.Open(directory.Options.SecretsKeyFile, database).Dispose();
            Assert.That(File.GetUnixFileMode(directory.Options.SecretsKeyFile), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }

        File.Delete(directory.Options.SecretsKeyFile);
        using var again = directory.OpenDatabase();
        Assert.That(() => SecretsKey.Open(directory.Options.SecretsKeyFile, again), Throws.TypeOf<HubStorageException>());
        File.WriteAllBytes(directory.Options.SecretsKeyFile, new byte[32]);
        Assert.That(() => SecretsKey.Open(directory.Options.SecretsKeyFile, again), Throws.TypeOf<HubStorageException>());
    }

    private async Task FillAsync()
    {
        using var database = directory.OpenDatabase();
        database.Migrate("x", ["CREATE TABLE a (b)"]);
        await database.WriteAsync(
            (connection, _) =>
            {
                for (var i = 0; i < 200; i++)
                {
                    connection.Execute("INSERT INTO a VALUES ($text)", ("$text", new string('x', 200)));
                }

                return 0;
            },
            CancellationToken.None);
    }
}
