using System.Net;
using EdgeVirt.Hub.Storage;

namespace EdgeVirt.Hub.Tests;

/// <summary>A hub's data directory that is deleted in the end.</summary>
internal sealed class DataDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("edgevirt-hub-").FullName;

    public HubOptions Options => new() { DataDir = Path, Listen = [IPAddress.Loopback], ApiPort = 0, NodePort = 0, MqttPort = 0 };

    public HubDatabase OpenDatabase() => new(Options.DatabaseFile);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
