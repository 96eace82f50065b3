using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using EdgeVirt.Cli.HubClient;
using EdgeVirt.Cli.Output;
using EdgeVirt.Contracts;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Manifests;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt vm start|stop|pause|resume|restart MACHINE</c>: states <c>spec.power</c> anew and leaves the rest of the manifest as it is.</summary>
internal static class PowerCommands
{
    private const string Unchanged = "unchanged";
    private const int MostAttempts = 5;
    private static readonly Argument<string> Machine = new("machine") { Description = "The virtual machine" };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until each of its nodes says that it is that" };

    public static IEnumerable<Command> Create(Terminal terminal)
    {
        yield return Verb(terminal, "start", "Switches a machine on", VirtualMachinePower.Running, VirtualMachinePower.Stopped);
        yield return Verb(terminal, "stop", "Asks its guest to end, cuts it off after its grace period, and leaves it off", VirtualMachinePower.Stopped, VirtualMachinePower.Running, VirtualMachinePower.Paused);
        yield return Verb(terminal, "pause", "Has its guest stand still where it is, with its memory", VirtualMachinePower.Paused, VirtualMachinePower.Running);
        yield return Verb(terminal, "resume", "Has a paused guest go on", VirtualMachinePower.Running, VirtualMachinePower.Paused);
        var restart = new Command("restart", "Stops a machine and starts it again, whereby changes of its manifest come into force; waits for it") { Machine };
        restart.Does(terminal, RestartAsync);
        yield return restart;
    }

    private static Command Verb(Terminal terminal, string name, string description, VirtualMachinePower wanted, params VirtualMachinePower[] from)
    {
        var command = new Command(name, description) { Machine, Wait };
        command.Does(terminal, async (invocation, ct) =>
        {
            using var hub = invocation.Connect();
            var applied = await StateAsync(invocation, hub, wanted, from, ct);
            invocation.Say($"VirtualMachine/{applied.Name} is {(applied.Outcome == Unchanged ? "already" : "now")} to be {wanted}");
            if (invocation.Get(Wait))
            {
                invocation.Terminal.Flush();
                await new ReadyWait(invocation, hub).UntilReadyAsync([applied], ct);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<int> RestartAsync(Invocation invocation, CancellationToken ct)
    {
        using var hub = invocation.Connect();
        var stopping = await StateAsync(invocation, hub, VirtualMachinePower.Stopped, [VirtualMachinePower.Running], ct);
        AppliedResource starting;
        try
        {
            await new ReadyWait(invocation, hub).UntilReadyAsync([stopping], ct);
        }
        finally
        {
            // Also where nobody waits any more: a machine that is to be restarted is not left off.
            starting = await StateAsync(invocation, hub, VirtualMachinePower.Running, [VirtualMachinePower.Stopped], CancellationToken.None);
        }

        invocation.Terminal.Flush();
        await new ReadyWait(invocation, hub).UntilReadyAsync([starting], ct);
        return ExitCodes.Ok;
    }

    private static async Task<AppliedResource> StateAsync(Invocation invocation, HubApi hub, VirtualMachinePower wanted, VirtualMachinePower[] from, CancellationToken ct)
    {
        var path = HubPaths.Of(ResourceKind.VirtualMachine, invocation.Get(Machine));
        for (var attempt = 1; ; attempt++)
        {
            var now = await hub.GetAsync(path, ContractsJson.Default.Resource, ct);
            var power = now.SpecOf<VirtualMachineSpec>().Power ?? VirtualMachinePower.Running;
            if (power == wanted)
            {
                return new AppliedResource(now.Kind, now.Metadata.Name, Unchanged, now.Metadata.Generation ?? 0);
            }

            if (!from.Contains(power))
            {
                throw new CliException(ExitCodes.Conflict, $"{now.Metadata.Name} is to be {power}.", $"Use 'edgevirt vm {(power == VirtualMachinePower.Stopped ? "start" : "resume")} {now.Metadata.Name}'.");
            }

            try
            {
                var changed = await hub.SendAsync(HttpMethod.Put, path, With(now, wanted), ContractsJson.Default.Resource, ContractsJson.Default.Resource, ct);
                return new AppliedResource(now.Kind, now.Metadata.Name, "configured", changed.Metadata.Generation ?? 0);
            }
            catch (CliException fault) when (fault.ExitCode == ExitCodes.Conflict && attempt < MostAttempts)
            {
                // What its nodes tell is a change, too.
            }
        }
    }

    private static Resource With(Resource now, VirtualMachinePower wanted)
    {
        var spec = JsonNode.Parse(now.Spec.GetRawText())!.AsObject();
        spec["power"] = wanted.ToString();
        using var document = JsonDocument.Parse(spec.ToJsonString());
        return now with { Spec = document.RootElement.Clone(), Status = null };
    }
}
