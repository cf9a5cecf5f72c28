using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using NativeEngine.Cli.Commands;

namespace NativeEngine.Cli;

/// <summary>--help and --version: the library's help at a fixed width, then the examples of the verb.</summary>
internal static class HelpText
{
    private const int Width = 110;

    /// <summary>Puts both options on <paramref name="root"/>, in place of the library's own; <paramref name="examples"/> are those of the program as a whole.</summary>
    public static void Install(RootCommand root, Host host, IReadOnlyList<string> examples)
    {
        root.Options.Clear();
        root.Add(new HelpOption("--help", "-h") { Description = "Show this text", Action = new ExamplesAction(host.Out, examples) });
        root.Add(new VersionOption("--version") { Description = "Show the version", Action = new VersionAction(host.Out) });
    }

    private sealed class ExamplesAction(TextWriter output, IReadOnlyList<string> rootExamples) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            new HelpAction { MaxWidth = Width }.Invoke(parseResult);
            output.WriteLine("Examples:");
            foreach (string example in parseResult.CommandResult.Command is Verb verb ? verb.Examples : rootExamples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
            return 0;
        }
    }

    private sealed class VersionAction(TextWriter output) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            output.WriteLine($"nativeengine {typeof(HelpText).Assembly.GetName().Version?.ToString(3)}");
            return 0;
        }
    }
}
