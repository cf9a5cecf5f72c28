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

    /// <summary>All verbs.</summary>
    public static RootCommand Create(Host host)
    {
        RootCommand root = new("Makes trained language models smaller: slices Hugging Face checkpoints (SliceGPT), measures what that costs, and runs them.")
        {
            InspectCommand.Create(host),
            TokenizeCommand.Create(host),
            EvalCommand.Create(host),
            SliceCommand.Create(host),
            GenerateCommand.Create(host),
            ExportCommand.Create(host),
            BenchCommand.Create(host),
            DemoCommand.Create(host),
            DoctorCommand.Create(host),
            CompletionsCommand.Create(host),
        };
        root.HelpName = "nativeengine";
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
            RootCommand root = Create(host);
            ParseResult parse = root.Parse(args, Parsing);
            if (ConfigFile.Merge(parse, args) is { } merged)
            {
                parse = root.Parse(args = merged, Parsing);
            }

            if (parse.Errors.Count > 0)
            {
                throw UsageError.Of(parse);
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
            host.Error.WriteLine(Printable.Lines(stack));
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
