using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using EdgeVirt.Cli.Commands;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli;

/// <summary>The command tree, and the one place where a failure becomes a sentence and an exit code.</summary>
internal static class App
{
    /// <summary>Runs one command line.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Terminal terminal, CancellationToken ct)
    {
        try
        {
            var parse = CreateRoot(terminal).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if ((parse.Errors.Count > 0 || UsageFault.StrayOption(parse) is not null) && parse.Action is not HelpAction and not RootHelp)
            {
                return UsageFault.Report(parse, terminal);
            }

            var configuration = new InvocationConfiguration
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            };
            return await parse.InvokeAsync(configuration, ct);
        }
        catch (CliException fault)
        {
            terminal.Fail(fault.Message, fault.Hint);
            foreach (var error in fault.Errors)
            {
                terminal.Error.WriteLine(Plain.Line($"  {(error.Line > 0 ? $"line {error.Line}: " : "")}{error.Field} {error.Reason}"));
            }

            return fault.ExitCode;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
        catch (BrokenOutputException)
        {
            // Whoever read our output has seen enough, as in "edgevirt logs web | head".
            return ExitCodes.Ok;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            terminal.Fail(fault.Message, null);
            return ExitCodes.Failure;
        }
#pragma warning disable CA1031 // Edge of the process: nobody above could say it better.
        catch (Exception fault)
#pragma warning restore CA1031
        {
            terminal.Fail($"unexpected: {fault.GetType().Name}: {fault.Message}", "This is a fault of edgevirt; please report it with the command line that you used.");
            return ExitCodes.Failure;
        }
        finally
        {
            terminal.Flush();
        }
    }

    /// <summary>Every verb.</summary>
    public static RootCommand CreateRoot(Terminal terminal)
    {
        var root = new RootCommand("Operates EdgeVirt: nodes, workloads, and what they need.")
        {
            LoginCommand.Create(terminal),
            ApplyCommand.Create(terminal),
            ImportCommand.Create(terminal),
            GetCommand.Create(terminal),
            DescribeCommand.Create(terminal),
            DeleteCommand.Create(terminal),
            LogsCommand.Create(terminal),
            ExecCommand.Create(terminal),
            AttachCommand.Create(terminal),
            PortForwardCommand.Create(terminal),
            ConsoleCommand.Create(terminal),
            VncCommand.Create(terminal),
            CopyCommand.Create(terminal),
            TopCommand.Create(terminal),
            NodeCommand.Create(terminal),
            BoardCommand.Create(terminal),
            ScreenCommand.Create(terminal),
            RehomeCommand.Create(terminal),
            FactoryResetCommand.Create(terminal),
            ImageCommand.Create(terminal),
            FlashCommand.Create(terminal),
            VolumeCommand.Create(terminal),
            VirtualMachineCommand.Create(terminal),
            TelemetryCommand.Create(terminal),
            AuditCommand.Create(terminal),
            TokenCommand.Create(terminal),
            ContextCommand.Create(terminal),
            VersionCommand.Create(terminal),
            CompletionCommand.Create(terminal),
            CompleteCommand.Create(terminal),
        };
        root.Directives.Clear();
        GlobalOptions.AddTo(root);
        foreach (var option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help })
            {
                option.Action = new RootHelp(help, root);
            }
        }

        return root;
    }

    /// <summary>Help as usual; for the root with the exit codes and where to begin.</summary>
    private sealed class RootHelp(HelpAction inner, Command root) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            inner.Invoke(parseResult);
            if (parseResult.CommandResult.Command == root)
            {
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Begin with:");
                output.WriteLine("  edgevirt login --server https://hub:8443 --token-file admin.token");
                output.WriteLine("  edgevirt apply -f workload.yaml --wait");
                output.WriteLine("  edgevirt get workloads");
                output.WriteLine();
                output.WriteLine("Environment:");
                output.WriteLine("  EDGEVIRT_SERVER, EDGEVIRT_TOKEN, EDGEVIRT_CA_FILE   instead of what login stored");
                output.WriteLine("  NO_COLOR                                            no colours");
                output.WriteLine();
                output.WriteLine("Exit codes:");
                foreach (var (code, meaning) in ExitCodes.Table)
                {
                    output.WriteLine($"  {code,-4} {meaning}");
                }

                output.WriteLine($"  {ExitCodes.ExecNote}");
            }

            return ExitCodes.Ok;
        }
    }
}
