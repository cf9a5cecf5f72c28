using System.CommandLine;
using System.CommandLine.Help;
using NativeEngine.Cli.Commands;
using NativeEngine.Cli.Output;

namespace NativeEngine.Cli;

/// <summary>The command line as a whole: the tree of verbs, and what becomes of an exception.</summary>
internal static class CommandLine
{
    // A prompt that begins with @ is a prompt, not the name of a response file; -x is never a bundle of short options.
    private static readonly ParserConfiguration Parsing = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };

    private static readonly (string Name, Func<Host, Command> Create)[] Verbs =
    [
        ("inspect", InspectCommand.Create),
        ("tokenize", TokenizeCommand.Create),
        ("eval", EvalCommand.Create),
        ("slice", SliceCommand.Create),
        ("groups", GroupsCommand.Create),
        ("prune", PruneCommand.Create),
        ("tune", TuneCommand.Create),
        ("merge", MergeCommand.Create),
        ("generate", GenerateCommand.Create),
        ("export", ExportCommand.Create),
        ("bench", BenchCommand.Create),
        ("demo", DemoCommand.Create),
        ("doctor", DoctorCommand.Create),
        ("completions", CompletionsCommand.Create),
    ];

    /// <summary>True for the first word of a verb.</summary>
    public static bool IsVerb(string? word) => Array.Exists(Verbs, verb => verb.Name == word);

    /// <summary>
    /// The tree of verbs. Where the first argument names one, the others are left out: making all options takes longer than
    /// reading the headers of a model.
    /// </summary>
    public static RootCommand Create(Host host, string? first = null)
    {
        RootCommand root = new("Makes trained language models smaller: slices (SliceGPT) and prunes (LLM-Pruner) Hugging Face checkpoints, measures what that costs, and runs them.")
        {
            HelpName = "nativeengine",
        };
        bool named = IsVerb(first);
        foreach ((string name, Func<Host, Command> create) in Verbs)
        {
            if (!named || name == first)
            {
                root.Add(create(host));
            }
        }

        HelpText.Install(root, host,
        [
            "nativeengine demo",
            "nativeengine inspect samples/sample-llama",
            "nativeengine slice samples/sample-llama sliced --calibration samples/wikitext-2-valid-excerpt.txt --eval samples/wikitext-2-test-excerpt.txt",
        ]);
        return root;
    }

    /// <summary>Parses <paramref name="args"/>, runs the verb, and returns the exit code of the process.</summary>
    public static int Run(string[] args, Host host)
    {
        try
        {
            if (UsageError.OfInvalidBytes(args) is { } garbled)
            {
                throw garbled;
            }

            RootCommand root = Create(host, args.FirstOrDefault());
            ParseResult parse = root.Parse(args, Parsing);
            if (ConfigFile.Merge(parse, args) is { } merged)
            {
                parse = root.Parse(args = merged, Parsing);
            }

            if (UsageError.Of(parse) is { } wrong)
            {
                throw wrong;
            }

            int exit = parse.Invoke(new InvocationConfiguration
            {
                Output = host.Out,
                Error = host.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
            host.Out.Flush();
            return exit;
        }
        catch (Exception e)
        {
            return Fail(Failure.Of(e, host.Interruption), args, host);
        }
    }

    // The options may be what is wrong, so the two that matter here are looked up in the raw arguments.
    private static int Fail(Failure failure, string[] args, Host host)
    {
        host.Error.WriteLine(failure.Line);
        if (args.Contains("--verbose") && failure.Stack is { } stack)
        {
            host.Error.WriteLine(Untrusted.Escape(stack, keepLayout: true));
        }

        try
        {
            if (args.Contains("--json"))
            {
                host.Out.WriteLine(Json.Write(failure));
            }

            host.Out.Flush();
        }
        catch (IOException)
        {
            // Standard output is what failed; its error is already on standard error.
        }

        return failure.Exit;
    }
}
