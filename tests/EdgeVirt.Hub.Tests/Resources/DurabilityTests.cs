using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using EdgeVirt.Contracts;

namespace EdgeVirt.Hub.Tests.Resources;

internal sealed class DurabilityTests
{
    [Test]
    public async Task Keeps_every_acknowledged_apply_when_the_hub_is_killed_in_the_midst()
    {
        using var directory = new DataDirectory();
        var acknowledged = new ConcurrentBag<string>();
        for (var round = 0; round < 3; round++)
        {
            using var hub = await HubProcess.StartAsync(directory.Options);
            using var client = hub.Client();
            using var killed = new CancellationTokenSource();
            var writers = Enumerable.Range(0, 4).Select(writer => WriteAsync(client, $"r{round}-w{writer}", acknowledged, killed.Token)).ToList();
            var before = acknowledged.Count;
            while (acknowledged.Count < before + 40 && !writers.Any(writer => writer.IsCompleted))
            {
                await Task.Yield();
            }

            hub.Kill();
            await killed.CancelAsync();
            await Task.WhenAll(writers);
        }

        using var again = await HubProcess.StartAsync(directory.Options);
        using var reader = again.Client();
        var list = await reader.GetFromJsonAsync("/api/v1/configs", ContractsJson.Default.ResourceList);
        Assert.That(acknowledged, Has.Count.GreaterThanOrEqualTo(120));
        Assert.That(acknowledged.Except(list!.Items.Select(item => item.Metadata.Name)), Is.Empty);
    }

    private static async Task WriteAsync(HttpClient client, string prefix, ConcurrentBag<string> acknowledged, CancellationToken ct)
    {
        for (var i = 0; !ct.IsCancellationRequested; i++)
        {
            var name = $"{prefix}-{i}";
            try
            {
                using var content = new StringContent($"{{apiVersion: edgevirt.io/v1, kind: Config, metadata: {{name: {name}}}, spec: {{data: {{a: b}}}}}}");
                using var answer = await client.PostAsync("/api/v1/apply", content, ct);
                if (answer.StatusCode != HttpStatusCode.OK)
                {
                    return;
                }

                acknowledged.Add(name);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
            {
                return;
            }
        }
    }
}
