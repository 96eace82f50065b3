using System.CommandLine;
using EdgeVirt.Cli.Output;

namespace EdgeVirt.Cli.Commands;

/// <summary><c>edgevirt completion SHELL</c>: scripts that ask <c>edgevirt __complete</c> what may follow.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # edgevirt completion for bash. Use: source <(edgevirt completion bash)
        _edgevirt() {
          local current="${COMP_WORDS[COMP_CWORD]}" candidates
          candidates="$(edgevirt __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)"
          if [[ "$candidates" == ":files" ]]; then
            compopt -o default 2>/dev/null
            COMPREPLY=()
            return
          fi
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$candidates" -- "$current"))
        }
        complete -F _edgevirt edgevirt
        """;

    private const string Zsh = """
        #compdef edgevirt
        # edgevirt completion for zsh. Use: source <(edgevirt completion zsh)
        _edgevirt() {
          local -a candidates
          candidates=("${(@f)$(edgevirt __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
          if [[ "${candidates[1]}" == ":files" ]]; then
            _files
          else
            compadd -a candidates
          fi
        }
        compdef _edgevirt edgevirt
        """;

    private const string Fish = """
        # edgevirt completion for fish. Use: edgevirt completion fish | source
        function __edgevirt_complete
          set -l words (commandline -opc) (commandline -ct)
          set -l candidates (edgevirt __complete -- $words[2..-1] 2>/dev/null)
          if test "$candidates[1]" = ":files"
            __fish_complete_path (commandline -ct)
          else
            printf '%s\n' $candidates
          end
        end
        complete -c edgevirt -f -a '(__edgevirt_complete)'
        """;

    private static readonly Argument<string> Shell = new("shell") { Description = "bash, zsh or fish" };

    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish"];

    public static Command Create(Terminal terminal)
    {
        var command = new Command("completion", "Prints a script that completes verbs, kinds and names in a shell") { Shell };
        command.Does(terminal, Run);
        return command;
    }

    private static Task<int> Run(Invocation invocation, CancellationToken ct)
    {
        var script = invocation.Get(Shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            "fish" => Fish,
            var other => throw new CliException(ExitCodes.Usage, $"there is no script for '{other}'.", $"Shells are {string.Join(", ", Shells)}."),
        };
        invocation.Terminal.Out.WriteLine(script);
        return Task.FromResult(ExitCodes.Ok);
    }
}
