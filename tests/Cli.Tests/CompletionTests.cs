namespace NativeEngine.Cli.Tests;

public sealed class CompletionTests
{
    [Theory]
    [InlineData("bash", "complete -o default -F _nativeengine nativeengine")]
    [InlineData("zsh", "compdef _nativeengine nativeengine")]
    [InlineData("fish", "complete -c nativeengine")]
    [InlineData("pwsh", "Register-ArgumentCompleter")]
    public void Script_is_printed(string shell, string part) => Assert.Contains(part, Cli.Run($"completions {shell}").Out, StringComparison.Ordinal);

    [Theory]
    [InlineData("nativeengine sl", "slice")]
    [InlineData("nativeengine slice --ori", "--orientation")]
    [InlineData("nativeengine slice --orientation ", "random")]
    public void Suggestions_come_from_the_parser(string typed, string expected) =>
        Assert.Contains(expected, Cli.Run([$"[suggest:{typed.Length}]", typed]).Out.Split('\n').Select(line => line.Trim()));
}
