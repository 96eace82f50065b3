using EdgeVirt.AotSmoke;

// Runs real flows in the published binary, because what works under the JIT may lose data or fail under
// Native AOT. One line a check; the last line counts; exit code 0 only if all passed.
(string Name, Func<Task> Run)[] checks =
[
    ("json: a manifest is read, checked and written", JsonChecks.ManifestAsync),
    ("json: a node document survives the journey", JsonChecks.NodeDocumentAsync),
    ("litedb: state survives closing, with an index and a transaction", LiteDbChecks.SurvivesClosingAsync),
    ("tls: a node's key is certified and verified", PkiChecks.CertifiesAsync),
    ("mqtt: a message is acknowledged over TLS, and one comes back", MqttChecks.RoundTripAsync),
    ("grpc: a desired state comes in chunks over HTTP/2 and TLS", GrpcChecks.SessionAsync),
];

var failed = 0;
foreach (var (name, run) in checks)
{
    try
    {
        await run().WaitAsync(TimeSpan.FromMinutes(1));
        Console.WriteLine($"ok      {name}");
    }
    catch (Exception fault)
    {
        failed++;
        Console.WriteLine($"FAILED  {name}: {fault}");
    }
}

Console.WriteLine($"smoke {checks.Length - failed} passed, {failed} failed");
return failed == 0 ? 0 : 1;
