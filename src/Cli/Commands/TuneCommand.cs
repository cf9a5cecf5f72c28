using System.CommandLine;
using System.CommandLine.Parsing;
using NativeEngine.Cli.Options;
using NativeEngine.Cli.Output;
using NativeEngine.Tune;

namespace NativeEngine.Cli.Commands;

/// <summary><c>tune MODEL OUT --data FILE</c></summary>
internal static class TuneCommand
{
    private static readonly TuneOptions Defaults = new("", "", new TextSource(""));

    public static Command Create(Host host)
    {
        Argument<string> model = CommonOptions.Model();
        Argument<string> output = new("OUT")
        {
            Description = "Folder to write the adapter to, and loss.svg, a picture of the run; must not exist unless --overwrite is given. A run in progress keeps its state in OUT.tune",
        };
        Option<string> data = new("--data")
        {
            HelpName = "FILE",
            Description = $"A .json or .jsonl file of records with instruction, input and output, or under --format text {TextOptions.Kinds}",
            Required = true,
        };
        Option<TuneFormat> format = Checked.Choice("--format", "What --data and --eval-data hold", ("alpaca", TuneFormat.Alpaca), ("text", TuneFormat.Text));
        TextOptions source = new();
        Option<int> rank = Checked.Integer("--rank", "Rank of the adapters", Defaults.Rank, most: LoraConfig.MaxRank);
        Option<double> alpha = Checked.Number(
            "--alpha", "x", "Strength of the adapters: they count alpha / rank times", Defaults.Alpha, "x > 0", Positive);
        Option<double> dropout = Checked.Number(
            "--dropout", "x", "Share of the adapters' inputs that is zeroed while training", Defaults.Dropout, "0 <= x < 1", x => x is >= 0 and < 1);
        Option<LoraTargets?> targets = Targets();
        Option<double> lr = Checked.Number("--lr", "x", "Learning rate at the end of the warm-up", Defaults.LearningRate, "x > 0", Positive);
        Option<LearningRateDecay> decay = Checked.Choice(
            "--lr-schedule",
            "How the learning rate goes on after the warm-up",
            ("linear", LearningRateDecay.Linear), ("cosine", LearningRateDecay.Cosine), ("constant", LearningRateDecay.Constant));
        Option<int> warmup = Checked.Integer("--warmup", "Steps in which the learning rate rises from zero", Defaults.Warmup, least: 0);
        Option<double> weightDecay = Checked.Number("--weight-decay", "x", "Decoupled weight decay", Defaults.WeightDecay, "x >= 0", NotNegative);
        Option<double> clip = Checked.Number("--clip", "x", "Largest norm of the gradient; 0 lets it be", Defaults.Clip, "x >= 0", NotNegative);
        Option<int> batch = Checked.Integer("--batch", "Examples per optimiser step", Defaults.Batch);
        Option<int> microBatch = Checked.Integer("--micro-batch", "Rows per forward and backward; more of them take more memory", Defaults.MicroBatch);
        Option<int> epochs = Checked.Integer("--epochs", "Passes over the training set", Defaults.Epochs);
        Option<int?> steps = Checked.OptionalInteger("--steps", "Optimiser steps; replaces --epochs");
        Option<int> cutoff = Checked.Integer("--cutoff", "Tokens of the longest example, never above the model's positions", Defaults.Cutoff, least: 2);
        Option<bool> pack = Checked.Flag("--pack", "Put several examples into one row instead of padding each; they do not see each other");
        Option<bool> trainOnInputs = Checked.Flag("--train-on-inputs", "Train on the tokens of the prompts too");
        Option<string?> evalData = Checked.Text(
            "--eval-data", "FILE", "Measure the loss on FILE, which is like --data; the adapter with the lowest is written");
        Option<int?> evalSamples = Checked.OptionalInteger("--eval-samples", "Take n examples out of --data, drawn with --seed, and measure the loss on them");
        Option<int?> evalEvery = Checked.OptionalInteger(
            "--eval-every", $"Steps between two measurements; the first is made before any step, the last behind all (default: {Defaults.EvalEvery})");
        Option<int?> patience = Checked.OptionalInteger("--patience", "Stop after n measurements without a gain (default: never)");
        Option<bool> resume = Checked.Flag(
            "--resume", "Go on where an interrupted run with the same OUT, options and inputs stopped; the result is the same to the last bit");
        Option<TokenizerChoice?> tokenizer = CommonOptions.Tokenizer();
        Option<bool> overwrite = Checked.Flag(
            "--overwrite", "Replace OUT if it exists, once the new one is complete; without --resume the state of an interrupted run is removed");
        CommonOptions common = new() { Computes = true, Backpropagates = true };

        Verb verb = new(
            "tune",
            "Recover what compression cost: train a LoRA adapter for a model, and write it to OUT as peft does. The defaults are LLM-Pruner's recipe.",
            "nativeengine tune pruned adapter --data alpaca.json",
            "nativeengine tune pruned adapter --data alpaca.json --eval-samples 2000 --patience 3 --pack --resume",
            "nativeengine tune sliced adapter --format text --data wikitext-2-train.txt --rank 32 --alpha 10 --cutoff 1024 --batch 3 --steps 500")
        {
            model, output, data, format, rank, alpha, dropout, targets, lr, decay, warmup, weightDecay, clip, batch, microBatch, epochs, steps, cutoff,
            pack, trainOnInputs, evalData, evalSamples, evalEvery, patience, resume, tokenizer, overwrite,
        };
        verb.Exclusive(evalData, evalSamples);
        verb.Exclusive(epochs, steps);
        verb.Check(result => new TuneOptions("", "", new TextSource(""))
        {
            Format = result.GetValue(format),
            TrainOnInputs = result.GetValue(trainOnInputs),
            EvalData = result.GetValue(evalData) is { } path ? new TextSource(path) : null,
            EvalSamples = Verb.Given(result, evalSamples) ? 1 : null,
            Patience = Verb.Given(result, patience) || Verb.Given(result, evalEvery) ? 1 : null, // each needs something to measure on
        }.CheckCombination());
        source.AddTo(verb);
        common.AddTo(verb);
        verb.SetAction(parse => host.Run(parse, common, session => host.Engine.Tune(
            session,
            new TuneOptions(parse.GetRequiredValue(model), parse.GetRequiredValue(output), source.Source(parse, parse.GetRequiredValue(data)))
            {
                Format = parse.GetValue(format),
                Rank = parse.GetValue(rank),
                Alpha = parse.GetValue(alpha),
                Dropout = parse.GetValue(dropout),
                Targets = parse.GetValue(targets),
                LearningRate = parse.GetValue(lr),
                Decay = parse.GetValue(decay),
                Warmup = parse.GetValue(warmup),
                WeightDecay = parse.GetValue(weightDecay),
                Clip = parse.GetValue(clip),
                Batch = parse.GetValue(batch),
                MicroBatch = parse.GetValue(microBatch),
                Epochs = parse.GetValue(epochs),
                Steps = parse.GetValue(steps),
                Cutoff = parse.GetValue(cutoff),
                Pack = parse.GetValue(pack),
                TrainOnInputs = parse.GetValue(trainOnInputs),
                EvalData = parse.GetValue(evalData) is { } path ? source.Source(parse, path) : null,
                EvalSamples = parse.GetValue(evalSamples),
                EvalEvery = parse.GetValue(evalEvery) ?? Defaults.EvalEvery,
                Patience = parse.GetValue(patience),
                Resume = parse.GetValue(resume),
                Tokenizer = parse.GetValue(tokenizer),
                Overwrite = parse.GetValue(overwrite),
                Seed = parse.GetValue(common.Seed),
            }), Print));
        return verb;
    }

    private static Option<LoraTargets?> Targets()
    {
        string words = string.Join(',', LoraTargetRoles.Words);
        return new CheckedOption<LoraTargets?>(
            "--targets",
            "q,k,...",
            $"Linear maps that get an adapter, of {words} (default: all that the model has)",
            $"words of {words}, with commas between them",
            (string text, out LoraTargets? found) =>
            {
                bool ok = LoraTargetRoles.TryParse(text, out LoraTargets value);
                found = value;
                return ok;
            });
    }

    private static bool Positive(double x) => x > 0 && double.IsFinite(x);

    private static bool NotNegative(double x) => x >= 0 && double.IsFinite(x);

    private static void Print(TuneResult result, Report report)
    {
        report.Line("model", result.Model ?? "");
        report.Line("written to", result.Output);
        report.Line("trained", $"{Format.Count(result.TrainedParameters)} parameters on {Format.Count(result.Examples, "example")}");
        report.Line("steps", $"{Format.Count(result.Steps)} ({Format.Count(result.Epochs, "epoch")}){(result.StoppedEarly ? ", stopped early" : "")}");
        report.Line("loss", string.Join(" -> ", result.Loss.Take(1).Concat(result.Loss.Skip(1).TakeLast(1)).Select(Format.Loss)));
        if (result.Evaluations is [{ } first, ..] && result.Evaluations.MinBy(e => e.Loss) is { } best)
        {
            report.Line("held-out loss", $"{Format.Loss(first.Loss)} -> {Format.Loss(best.Loss)} behind step {Format.Count(best.Step)}, which is written");
        }

        report.Line("tokens/s", Format.Rate(result.TokensPerSecond));
        report.Line("tokenizer", result.Tokenizer);
        report.Blank();
        report.Phases(result.Phases);
    }
}
