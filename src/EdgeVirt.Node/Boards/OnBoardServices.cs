using EdgeVirt.Node.Reconcile;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EdgeVirt.Node.Boards;

internal static class OnBoardServices
{
    /// <summary>What somebody who stands before the board sees and asks for.</summary>
    public static IServiceCollection AddOnBoard(this IServiceCollection services) => services
        .AddSingleton(new BoardTree("/"))
        .AddSingleton<FactoryReset>()
        .AddSingleton<RestartSystem>(Restart.BySystemd)
        .AddSingleton<Restart>()
        .AddHostedService(provider => provider.GetRequiredService<Restart>())
        .AddSingleton<LastErrorLog>()
        .AddSingleton<ILoggerProvider>(provider => provider.GetRequiredService<LastErrorLog>());

    /// <summary>The board's light.</summary>
    public static IServiceCollection AddStatusLed(this IServiceCollection services) => services
        .AddSingleton<IsStarted>(provider => () => provider.GetRequiredService<ReconcilerHost>().FirstPasses.IsCompleted)
        .AddHostedService<StatusLedService>();
}
