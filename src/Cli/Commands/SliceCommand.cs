using System.CommandLine;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Kernels;

namespace NativeEngine.Cli.Commands;

/// <summary><c>slice MODEL OUT --calibration TEXT</c></summary>
internal static class SliceCommand
{
    private static readonly SliceOptions Defaults = new("", "", new TextSource(""));

    /// <summary>The fraction to delete; <c>demo</c> has it too.</summary>
    public static Option<double> Sparsity() => Checked.Number(
        "--sparsity", "x", "Fraction of the hidden width to delete, counted from the original width", Defaults.Sparsity, "0 <= x < 1", x => x is >= 0 and < 1);

    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Argument<string> output = CommonOptions.Out();
        Option<double> sparsity = Sparsity();
        Option<string> calibration = new("--calibration") { HelpName = "TEXT", Description = $"Text whose signals are diagonalised: {TextOptions.Kinds}", Required = true };
        TextOptions source = new();
        Option<int> samples = Checked.Integer("--samples", "Calibration windows; fewer are used, and said, where the text is short", Defaults.Samples);
        Option<int> seqLen = Checked.Integer("--seqlen", "Tokens per calibration window, never above the model's positions", Defaults.SeqLen);
        Option<int> round = Checked.Integer("--round", "Round kept widths down to a multiple of n", Defaults.Round);
        Option<Orientation> orientation = Checked.Choice(
            "--orientation", "Keep the principal components as they are, or mixed by a random rotation", ("pca", Orientation.Pca), ("random", Orientation.Random));
        Option<EigenSolver> eigen = Checked.Choice(
            "--eigen", "What finds the kept subspace: projector is for GPUs, and needs --orientation random", ("exact", EigenSolver.Exact), ("projector", EigenSolver.Projector));
        Option<string?> schedule = Checked.Text("--schedule", "FILE", "Widths per layer, as a SlicingConfig JSON of SliceGPT; replaces --sparsity");
        Option<bool> sliceHead = Checked.Flag("--slice-head", "Slice the last signal, the input of the head, too");
        Option<bool> rotateOnly = Checked.Flag("--rotate-only", "Rotate and delete nothing");
        Option<string?> compat = Checked.Choice<string?>("--compat", "Reproduce the quirks of a reference implementation (default: none)", ("slicegpt", "slicegpt"));
        Option<string?> eval = Checked.Text("--eval", "TEXT", "Measure the perplexity on TEXT before and after");
        Option<int> evalSeqLen = Checked.Integer("--eval-seqlen", "Tokens per evaluation window", Defaults.EvalSeqLen);
        Option<TokenizerChoice?> tokenizer = CommonOptions.Tokenizer();
        Option<DType?> store = CommonOptions.Store();
        Option<bool> overwrite = CommonOptions.Overwrite();
        CommonOptions common = new() { Computes = true };

        Verb verb = new(
            "slice",
            "Make a model smaller with SliceGPT: rotate each residual signal to its principal components, delete those with the least energy, and write the narrower model to OUT.",
            "nativeengine slice samples/sample-llama sliced --calibration samples/wikitext-2-valid-excerpt.txt",
            "nativeengine slice samples/sample-llama sliced --sparsity 0.3 --calibration samples/wikitext-2-valid-excerpt.txt --eval samples/wikitext-2-test-excerpt.txt",
            "nativeengine slice llama-2-7b sliced --schedule widths.json --calibration tokens.safetensors --store fp32 --json")
        {
            model, output, calibration, sparsity, samples, seqLen, round, orientation, eigen, schedule, sliceHead, rotateOnly, compat, eval, evalSeqLen, tokenizer, store, overwrite,
        };
        verb.Exclusive(sparsity, schedule, rotateOnly);
        verb.Validators.Add(result =>
        {
            if (result.GetValue(rotateOnly) && (result.GetResult(sparsity) is { Implicit: false } || result.GetResult(schedule) is { Implicit: false }))
            {
                result.AddError("--rotate-only deletes nothing: leave out --sparsity and --schedule");
            }
        });
        source.AddTo(verb);
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Slice(
            session,
            new SliceOptions(parse.GetRequiredValue(model), parse.GetRequiredValue(output), source.Source(parse, parse.GetRequiredValue(calibration)))
            {
                Sparsity = parse.GetValue(sparsity),
                Samples = parse.GetValue(samples),
                SeqLen = parse.GetValue(seqLen),
                Round = parse.GetValue(round),
                Orientation = parse.GetValue(orientation),
                Eigen = parse.GetValue(eigen),
                Schedule = parse.GetValue(schedule),
                SliceHead = parse.GetValue(sliceHead),
                RotateOnly = parse.GetValue(rotateOnly),
                CompatSliceGpt = parse.GetValue(compat) == "slicegpt",
                Eval = parse.GetValue(eval) is { } path ? source.Source(parse, path) : null,
                EvalSeqLen = parse.GetValue(evalSeqLen),
                Tokenizer = parse.GetValue(tokenizer),
                Store = parse.GetValue(store),
                Overwrite = parse.GetValue(overwrite),
                Seed = parse.GetValue(common.Seed),
            }), Print));
        return verb;
    }

    private static void Print(SliceResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("written to", result.Output);
        report.Line("parameters", $"{Format.Count(result.ParametersBefore)} -> {Format.Count(result.ParametersAfter)} ({Format.Change(result.ParametersBefore, result.ParametersAfter)})");
        if (result.Perplexity is { } perplexity)
        {
            report.Line("perplexity", $"{Format.Perplexity(perplexity.Dense)} -> {Format.Perplexity(perplexity.Sliced)}");
        }

        if (result.Sparsity is { } sparsity)
        {
            report.Line("sparsity", sparsity.ToString("0.####"));
        }

        report.Line("calibration", $"{Format.Count(result.Samples, "window")} of {result.SeqLen} tokens");
        report.Line("tokenizer", result.Tokenizer);
        if (result.Eigen == EigenSolver.Projector)
        {
            report.Line("eigensolver", result.EigenFallbacks == 0 ? "projector" : $"projector, {result.EigenFallbacks} times the exact one instead");
        }

        LayerTable.Print(report, result.Layers);
        report.Blank();
        report.Phases(result.Phases);
    }
}
