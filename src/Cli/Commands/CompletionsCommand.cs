using System.CommandLine;

namespace NativeEngine.Cli.Commands;

/// <summary><c>completions SHELL</c>: prints a script that asks the program itself, through the parser's [suggest] directive.</summary>
internal static class CompletionsCommand
{
    private const string Bash = """
        _nativeengine() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(nativeengine "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _nativeengine nativeengine
        """;

    private const string Zsh = """
        _nativeengine() {
            compadd -- ${(f)"$(nativeengine "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)"} || _files
        }
        compdef _nativeengine nativeengine
        """;

    private const string Fish = """
        complete -c nativeengine -a '(nativeengine "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'
        """;

    private const string PowerShell = """
        Register-ArgumentCompleter -Native -CommandName nativeengine -ScriptBlock {
            param($wordToComplete, $commandAst, $cursorPosition)
            nativeengine "[suggest:$cursorPosition]" "$commandAst" 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
        }
        """;

    public static Command Create(Host host)
    {
        Argument<string> shell = new("SHELL") { Description = "bash, zsh, fish or pwsh" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "pwsh");

        Verb verb = new(
            "completions",
            "Print a script that makes a shell complete verbs, options and their values.",
            "source <(nativeengine completions bash)",
            "nativeengine completions fish > ~/.config/fish/completions/nativeengine.fish") { shell };
        verb.SetAction(parse => host.Out.WriteLine(parse.GetRequiredValue(shell) switch { "bash" => Bash, "zsh" => Zsh, "fish" => Fish, _ => PowerShell }));
        return verb;
    }
}
