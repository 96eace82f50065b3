using System.Runtime.InteropServices;
using EdgeVirt.Cli;
using EdgeVirt.Cli.Output;

using var interrupted = new CancellationTokenSource();

// The first Ctrl-C ends the command in good order, a second one ends the process.
void Interrupt(PosixSignalContext signal)
{
    signal.Cancel = !interrupted.IsCancellationRequested;
    interrupted.Cancel();
}

using var sigint = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
return await App.RunAsync(args, Terminal.OfProcess(), interrupted.Token);
