using NativeEngine.Testing;

namespace NativeEngine.Cli.Tests;

/// <summary>The help texts are approved files: <c>NATIVEENGINE_APPROVE=1 dotnet test tests/Cli.Tests</c> writes them anew, to be read in the diff.</summary>
public sealed class HelpTests
{
    private static readonly string[] Names =
        ["", "inspect", "tokenize", "eval", "eval perplexity", "slice", "groups", "prune", "tune", "merge", "generate", "export", "bench", "bench gemm", "bench eigen", "bench kernels", "bench slice", "bench prune", "bench tune", "bench decode", "bench tokenize", "demo", "doctor", "completions"];

    public static TheoryData<string> Verbs { get; } = [.. Names];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Help_is_as_approved(string verb)
    {
        Outcome outcome = Cli.Run($"{verb} --help");
        Assert.Equal((0, ""), (outcome.Exit, outcome.Error));

        string path = Path.Combine(Shared.Root, "tests", "Cli.Tests", "approved", $"{(verb.Length == 0 ? "nativeengine" : verb.Replace(' ', '-'))}.txt");
        string actual = string.Join('\n', outcome.Out.ReplaceLineEndings("\n").Split('\n').Select(line => line.TrimEnd())).TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable("NATIVEENGINE_APPROVE") == "1")
        {
            File.WriteAllText(path, actual);
        }

        Assert.Equal(File.ReadAllText(path), actual);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_option_and_argument_is_described(string verb)
    {
        using StringWriter nowhere = new();
        System.CommandLine.Command command = CommandLine.Create(new Host(nowhere, nowhere));
        foreach (string name in verb.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            command = command.Subcommands.Single(c => c.Name == name);
        }

        Assert.All(command.Children, symbol => Assert.False(string.IsNullOrWhiteSpace(symbol.Description), symbol.Name));
    }

    [Fact]
    public void Examples_parse()
    {
        using StringWriter nowhere = new();
        System.CommandLine.RootCommand root = CommandLine.Create(new Host(nowhere, nowhere));
        foreach (Commands.Verb verb in Names.Where(name => name.Length > 0).Select(Find))
        {
            foreach (string example in verb.Examples.Where(e => e.StartsWith("nativeengine ", StringComparison.Ordinal)))
            {
                string line = example["nativeengine ".Length..].Split(" | ")[0].Split(" > ")[0].Replace('\'', '"');
                Assert.True(root.Parse(line).Errors.Count == 0, example);
            }
        }

        Commands.Verb Find(string path) => (Commands.Verb)path.Split(' ').Aggregate((System.CommandLine.Command)root, (command, name) => command.Subcommands.Single(c => c.Name == name));
    }

    [Fact]
    public void Version_is_one_line()
    {
        Outcome outcome = Cli.Run("--version");
        Assert.Equal(0, outcome.Exit);
        Assert.Matches(@"^nativeengine \d+\.\d+\.\d+\n$", outcome.Out);
    }
}
