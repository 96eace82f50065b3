using Microsoft.Extensions.DependencyInjection;

namespace EdgeVirt.Node.Boards;

internal static class BoardServices
{
    /// <summary>The board that the node runs on.</summary>
    public static IServiceCollection AddBoard(this IServiceCollection services) => services
        .AddSingleton(_ => new BoardFiles())
        .AddSingleton<BoardReading>()
        .AddSingleton(_ => SmartReading.OfMachine)
        .AddSingleton<Telemetry.ReadSamples>(provider => provider.GetRequiredService<BoardReading>().Sample)
        .AddHostedService<BoardWatch>();
}
