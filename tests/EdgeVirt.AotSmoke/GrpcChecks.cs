using System.IO.Hashing;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using EdgeVirt.Contracts.Protos;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.AotSmoke;

internal static class GrpcChecks
{
    private static readonly byte[] Document = RandomNumberGenerator.GetBytes(200_000);

    public static async Task SessionAsync()
    {
        using var pki = new Pki();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = pki.Server;
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (certificate, _, _) => pki.Trusts(certificate);
            });
        }));
        await using var app = builder.Build();
        app.MapGrpcService<Service>();
        await app.StartAsync();

        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        using var channel = GrpcChannel.ForAddress(address.Replace("127.0.0.1", "localhost", StringComparison.Ordinal), new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                SslOptions = new SslClientAuthenticationOptions
                {
                    ClientCertificates = [pki.Client],
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => pki.Trusts(certificate),
                },
            },
            DisposeHttpClient = true,
        });
        using var session = new DesiredState.DesiredStateClient(channel).Session();
        await session.RequestStream.WriteAsync(new NodeMessage { Hello = new Hello { Revision = 6 } });
        using var received = new MemoryStream();
        await foreach (var message in session.ResponseStream.ReadAllAsync())
        {
            if (message.KindCase == HubMessage.KindOneofCase.Chunk)
            {
                Check.That(Crc32.HashToUInt32(message.Chunk.Data.Span) == message.Chunk.Crc32, "a chunk's checksum is right");
                received.Write(message.Chunk.Data.Span);
            }

            if (received.Length == Document.Length)
            {
                await session.RequestStream.WriteAsync(new NodeMessage { Verdict = new Verdict { Revision = 7, Accepted = true } });
                await session.RequestStream.CompleteAsync();
            }
        }

        Check.That(received.ToArray().AsSpan().SequenceEqual(Document), "the document is the same");
        Check.That(session.GetStatus().StatusCode == StatusCode.OK, "the session ended well");
        await app.StopAsync();
    }

    private sealed class Service : DesiredState.DesiredStateBase
    {
        private const int ChunkBytes = 64 << 10;

        public override async Task Session(
            IAsyncStreamReader<NodeMessage> requests, IServerStreamWriter<HubMessage> responses, ServerCallContext context)
        {
            Check.That(await requests.MoveNext() && requests.Current.Hello.Revision == 6, "the hello arrives");
            for (var offset = 0; offset < Document.Length; offset += ChunkBytes)
            {
                var data = Document.AsSpan(offset, Math.Min(ChunkBytes, Document.Length - offset));
                await responses.WriteAsync(new HubMessage
                {
                    Chunk = new Chunk { Offset = (ulong)offset, Data = ByteString.CopyFrom(data), Crc32 = Crc32.HashToUInt32(data) },
                });
            }

            Check.That(await requests.MoveNext() && requests.Current.Verdict.Accepted, "the verdict arrives");
        }
    }
}
