using LiteDB;

namespace EdgeVirt.AotSmoke;

internal static class LiteDbChecks
{
    public static Task SurvivesClosingAsync()
    {
        var directory = Directory.CreateTempSubdirectory("edgevirt-smoke-");
        try
        {
            var path = Path.Combine(directory.FullName, "smoke.db");
            using (var database = new LiteDatabase(path))
            {
                var collection = database.GetCollection("things");
                collection.EnsureIndex("kind", "$.kind");
                database.BeginTrans();
                for (var i = 0; i < 500; i++)
                {
                    collection.Insert(new BsonDocument { ["_id"] = i, ["kind"] = i % 7 == 0 ? "seven" : "other", ["text"] = $"thing {i}" });
                }

                database.Commit();
                database.BeginTrans();
                collection.DeleteMany("$.kind = 'other'");
                database.Rollback();
            }

            using var reopened = new LiteDatabase(path);
            var things = reopened.GetCollection("things");
            Check.That(things.Count() == 500, "a rolled-back deletion deletes nothing");
            Check.That(things.Find("$.kind = 'seven'").Count() == 72, "the index finds them all");
            Check.That(things.FindById(499)["text"].AsString == "thing 499", "fields are there");
        }
        finally
        {
            directory.Delete(recursive: true);
        }

        return Task.CompletedTask;
    }
}
