using System.CommandLine;
using System.Globalization;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Prune;

namespace NativeEngine.Cli.Commands;

/// <summary><c>prune MODEL OUT</c></summary>
internal static class PruneCommand
{
    private static readonly PruneOptions Defaults = new("");

    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Argument<string?> output = new("OUT") { Description = "Folder to write; must not exist unless --overwrite is given. Not needed with --plan", Arity = ArgumentArity.ZeroOrOne };
        Option<double> ratio = Ratio("; with --scope channel or layer, of the residual's columns or of the layers");
        Option<ParameterTarget?> target = new CheckedOption<ParameterTarget?>(
            "--target-parameters", "x", "Find the ratio whose result comes nearest to so many parameters, above or below: a fraction of MODEL's up to 1, or a number", "a number above 0", (string text, out ParameterTarget? value) =>
            {
                bool ok = ParameterTarget.TryParse(text, out ParameterTarget parsed);
                value = parsed;
                return ok;
            });
        Option<string?> calibration = Checked.Text("--calibration", "TEXT", $"Text whose loss makes structures important: {TextOptions.Kinds}; not needed for l1, l2, random");
        TextOptions source = new();
        Option<PruneScope> scope = Checked.Choice(
            "--scope", "Cut heads and MLP channels, columns of the residual, or whole layers", ("block", PruneScope.Block), ("channel", PruneScope.Channel), ("layer", PruneScope.Layer));
        Option<ImportanceKind> importance = Checked.Choice(
            "--importance", "What makes a structure important", ("taylor", ImportanceKind.Taylor), ("l1", ImportanceKind.L1), ("l2", ImportanceKind.L2), ("random", ImportanceKind.Random));
        Option<TaylorOrder> taylor = Taylor();
        Option<Grouping> grouping = Checked.Choice(
            "--grouping", "How the matrices of a group count together; first and second are those of the order that groups prints", ("sum", Grouping.Sum), ("mean", Grouping.Mean), ("max", Grouping.Max), ("prod", Grouping.Prod), ("first", Grouping.First), ("second", Grouping.Second));
        Option<LayerRange?> attention = Layers("--attention-layers", "Layers that may lose heads, both ends included, or none");
        Option<LayerRange?> mlp = Layers("--mlp-layers", "Layers that may lose MLP channels, both ends included, or none");
        Option<int> samples = Checked.Integer("--samples", "Calibration windows; fewer are used, and said, where the text is short", Defaults.Samples);
        Option<int> seqLen = Checked.Integer("--seqlen", "Tokens per calibration window, never above the model's positions", Defaults.SeqLen);
        Option<int> iterations = Checked.Integer("--iterations", "Score and cut in n steps", Defaults.Iterations);
        Option<bool> global = Checked.Flag("--global", "Rank structures of all layers together, by importance per parameter");
        Option<int?> round = Checked.OptionalInteger("--round", "Keep the widths of MLPs to a multiple of n, with --scope block (default: 64 for widths from 2048 up, else 1)");
        Option<int?> keepLayers = Checked.OptionalInteger("--keep-layers", "Layers that stay, with --scope layer");
        Option<LayerScore> layerScore = Checked.Choice(
            "--layer-score", "With --scope layer keep the first layers, or those that turn the residual most", ("first", LayerScore.First), ("influence", LayerScore.Influence));
        Option<string?> compat = Checked.Choice<string?>("--compat", "Reproduce the quirks of a reference implementation (default: none)", ("llm-pruner", "llm-pruner"));
        Option<string?> plan = Checked.Text("--plan", "FILE", "Write the decision to FILE and cut nothing");
        Option<string?> applyPlan = Checked.Text("--apply-plan", "FILE", "Cut by the decision in FILE");
        Option<string?> eval = Checked.Text("--eval", "TEXT", "Measure the perplexity on TEXT before and after");
        Option<int> evalSeqLen = Checked.Integer("--eval-seqlen", "Tokens per evaluation window", Defaults.EvalSeqLen);
        Option<TokenizerChoice?> tokenizer = CommonOptions.Tokenizer("auto; slow with --compat llm-pruner");
        Option<Kernels.DType?> store = CommonOptions.Store();
        Option<bool> overwrite = CommonOptions.Overwrite();
        CommonOptions common = new() { Computes = true, Backpropagates = true };

        Verb verb = new(
            "prune",
            "Make a model smaller with LLM-Pruner: cut the heads, MLP channels, columns or layers that matter least, and write the smaller model to OUT.",
            "nativeengine prune samples/sample-llama pruned --calibration samples/wikitext-2-valid-excerpt.txt --eval samples/wikitext-2-test-excerpt.txt",
            "nativeengine prune samples/sample-llama pruned --target-parameters 0.8 --calibration samples/wikitext-2-valid-excerpt.txt --taylor param_mix --global",
            "nativeengine prune llama-2-7b --calibration text.jsonl --plan plan.json --json",
            "nativeengine prune llama-2-7b shallow --scope layer --keep-layers 28 --layer-score influence --calibration text.jsonl")
        {
            model, output, ratio, target, calibration, scope, importance, taylor, grouping, attention, mlp, samples, seqLen, iterations, global, round,
            keepLayers, layerScore, compat, plan, applyPlan, eval, evalSeqLen, tokenizer, store, overwrite,
        };
        verb.Exclusive(ratio, target, keepLayers, applyPlan);
        verb.Exclusive(plan, output);
        verb.Exclusive(plan, applyPlan);
        verb.Exclusive(plan, eval);
        verb.Validators.Add(result =>
        {
            if (Verb.Given(result, ratio) && new Option[] { target, keepLayers, applyPlan }.FirstOrDefault(size => Verb.Given(result, size)) is { } size)
            {
                result.AddError($"--ratio and {size.Name} both say what is cut: give one");
            }
        });
        verb.Check(result => new PruneOptions("")
        {
            Output = result.GetValue(output),
            TargetParameters = Verb.Given(result, target) ? new ParameterTarget(1) : null,
            Scope = result.GetValue(scope),
            Iterations = result.GetValue(iterations),
            KeepLayers = Verb.Given(result, keepLayers) ? 1 : null,
            Plan = result.GetValue(plan),
            ApplyPlan = result.GetValue(applyPlan),
            Eval = result.GetValue(eval) is { } path ? new TextSource(path) : null,
        }.CheckCombination());
        source.AddTo(verb);
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Prune(
            session,
            new PruneOptions(parse.GetRequiredValue(model))
            {
                Output = parse.GetValue(output),
                Calibration = parse.GetValue(calibration) is { } text ? source.Source(parse, text) : null,
                Ratio = parse.GetValue(ratio),
                TargetParameters = parse.GetValue(target),
                Scope = parse.GetValue(scope),
                Importance = parse.GetValue(importance),
                Taylor = parse.GetValue(taylor),
                Grouping = parse.GetValue(grouping),
                AttentionLayers = parse.GetValue(attention),
                MlpLayers = parse.GetValue(mlp),
                Samples = parse.GetValue(samples),
                SeqLen = parse.GetValue(seqLen),
                Iterations = parse.GetValue(iterations),
                Global = parse.GetValue(global),
                Round = parse.GetValue(round),
                KeepLayers = parse.GetValue(keepLayers),
                LayerScore = parse.GetValue(layerScore),
                Compat = parse.GetValue(compat) == "llm-pruner",
                Plan = parse.GetValue(plan),
                ApplyPlan = parse.GetValue(applyPlan),
                Eval = parse.GetValue(eval) is { } path ? source.Source(parse, path) : null,
                EvalSeqLen = parse.GetValue(evalSeqLen),
                Tokenizer = parse.GetValue(tokenizer),
                Store = parse.GetValue(store),
                Overwrite = parse.GetValue(overwrite),
                Seed = parse.GetValue(common.Seed),
            }), Print));
        return verb;
    }

    /// <summary>The fraction to cut; <c>bench prune</c>, which has no other scope than blocks, has it too.</summary>
    public static Option<double> Ratio(string elsewhere = "") => Checked.Number(
        "--ratio", "x", $"Fraction of every group to cut: of the heads and of the MLP channels of each layer in range{elsewhere}", Defaults.Ratio, "0 <= x < 1", x => x is >= 0 and < 1);

    /// <summary>The terms of the Taylor importance; <c>bench prune</c> has it too.</summary>
    public static Option<TaylorOrder> Taylor() => Checked.Choice(
        "--taylor", "Terms of the Taylor importance: gradient x weight per element, its second-order term, both, or gradient x weight per row and column",
        ("param_first", TaylorOrder.ParamFirst), ("param_second", TaylorOrder.ParamSecond), ("param_mix", TaylorOrder.ParamMix), ("vectorize", TaylorOrder.Vectorize));

    private static Option<LayerRange?> Layers(string name, string description) => new CheckedOption<LayerRange?>(
        name, "a..b", $"{description} (default: all but the first eighth and the last sixteenth)", "two layers with .. between them, such as 4..29, or none", (string text, out LayerRange? value) =>
        {
            bool ok = LayerRange.TryParse(text, out LayerRange parsed);
            value = parsed;
            return ok;
        });

    private static void Print(PruneResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        if (result.Output is not null)
        {
            report.Line("written to", result.Output);
        }

        if (result.Plan is not null)
        {
            report.Line("plan written to", result.Plan);
        }

        report.Line("parameters", $"{Format.Count(result.ParametersBefore)} -> {Format.Count(result.ParametersAfter)} ({Format.Change(result.ParametersBefore, result.ParametersAfter)})");
        if (result.Ratio is double ratio)
        {
            report.Line("ratio", ratio.ToString("G4", CultureInfo.InvariantCulture));
        }

        if (result.Perplexity is { } perplexity)
        {
            report.Line("perplexity", $"{Format.Perplexity(perplexity.Dense)} -> {Format.Perplexity(perplexity.Pruned)}");
        }

        foreach (IGrouping<StructureKind, PrunedGroup> kind in result.Groups.GroupBy(g => g.Kind))
        {
            report.Line($"cut {Words(kind.Key)}", $"{Format.Count(kind.Sum(g => g.Pruned.Count))}{(kind.Count() > 1 ? $" in {kind.Count()} layers" : "")}");
        }

        report.Line("loads in", LoadsIn(result));
        report.Line("tokenizer", result.Tokenizer);
        LayerTable.Print(report, result.Layers);
        report.Blank();
        report.Phases(result.Phases);
    }

    private static string LoadsIn(PruneResult result) => result.WhyNotStock is string reason ? $"this engine: {reason}"
        : result.NeedsHeadDim ? "transformers that read head_dim (newer than 4.41) and this engine"
        : "transformers and this engine";

    private static string Words(StructureKind kind) => kind switch
    {
        StructureKind.Heads => "heads",
        StructureKind.KvHeads => "kv heads",
        StructureKind.Channels => "channels",
        StructureKind.Hidden => "columns",
        _ => "layers",
    };
}
