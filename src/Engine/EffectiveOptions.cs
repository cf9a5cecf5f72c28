using System.Text.Json.Nodes;
using NativeEngine.Kernels;
using NativeEngine.Tune;

namespace NativeEngine;

/// <summary>
/// The options of a run as its manifest keeps them: names and values spelt as on the command line, so that <c>--config MANIFEST</c>
/// repeats the run. What was not given and has no value is left out. A type to compute in is that of the session, where one was asked for.
/// </summary>
public static class EffectiveOptions
{
    /// <summary>The options of <c>slice</c>.</summary>
    public static JsonObject Of(SliceOptions o, DType? dtype = null) => Given(
        ("command", "slice"),
        ("model", o.Model),
        ("out", o.Output),
        ("calibration", o.Calibration.Path),
        ("join", Escape(o.Calibration.Join)),
        ("rows", o.Calibration.StripRows ? "strip" : "keep"),
        ("field", o.Calibration.Field),
        ("sparsity", o.RotateOnly ? null : o.Sparsity),
        ("samples", o.Samples),
        ("seqlen", o.SeqLen),
        ("round", o.Round),
        ("orientation", o.Orientation == Orientation.Random ? "random" : "pca"),
        ("eigen", o.Eigen == EigenSolver.Projector ? "projector" : "exact"),
        ("schedule", o.RotateOnly ? null : o.Schedule),
        ("slice_head", o.SliceHead),
        ("rotate_only", o.RotateOnly),
        ("compat", o.CompatSliceGpt ? "slicegpt" : null),
        ("eval", o.Eval?.Path),
        ("eval_seqlen", o.EvalSeqLen),
        ("tokenizer", Word(o.Tokenizer)),
        ("store", Word(o.Store)),
        ("overwrite", o.Overwrite),
        ("dtype", Word(dtype)),
        ("seed", o.Seed));

    /// <summary>The options of <c>prune</c>; under a plan, those that would have led to one are left out.</summary>
    public static JsonObject Of(PruneOptions o, DType? dtype = null) => Given(
    [
        ("command", "prune"),
        ("model", o.Model),
        ("out", o.Output),
        .. o.ApplyPlan is null ? Decision(o) : [("apply_plan", o.ApplyPlan)],
        ("compat", o.Compat ? "llm-pruner" : null),
        ("eval", o.Eval?.Path),
        ("eval_seqlen", o.EvalSeqLen),
        ("tokenizer", Word(o.Tokenizer)),
        ("store", Word(o.Store)),
        ("overwrite", o.Overwrite),
        ("dtype", Word(dtype)),
    ]);

    private static (string Name, JsonNode? Value)[] Decision(PruneOptions o) =>
    [
        ("calibration", o.Calibration?.Path),
        ("join", o.Calibration is null ? null : Escape(o.Calibration.Join)),
        ("rows", o.Calibration is null ? null : o.Calibration.StripRows ? "strip" : "keep"),
        ("field", o.Calibration?.Field),
        ("ratio", o.TargetParameters is null && o.KeepLayers is null ? o.Ratio : null),
        ("target_parameters", o.TargetParameters?.Value),
        ("scope", SnakeCase(o.Scope)),
        ("importance", SnakeCase(o.Importance)),
        ("taylor", SnakeCase(o.Taylor)),
        ("grouping", SnakeCase(o.Grouping)),
        ("attention_layers", o.AttentionLayers?.ToString()),
        ("mlp_layers", o.MlpLayers?.ToString()),
        ("samples", o.Samples),
        ("seqlen", o.SeqLen),
        ("iterations", o.Iterations),
        ("global", o.Global),
        ("round", o.Round),
        ("keep_layers", o.KeepLayers),
        ("layer_score", SnakeCase(o.LayerScore)),
        ("seed", o.Seed),
    ];

    /// <summary>The options of <c>export</c>.</summary>
    public static JsonObject Of(ExportOptions o) => Given(
        ("command", "export"),
        ("model", o.Model),
        ("out", o.Output),
        ("to", "hf"),
        ("store", Word(o.Store)),
        ("overwrite", o.Overwrite));

    /// <summary>The options of <c>tune</c>. Whether it was resumed makes no difference to what it made.</summary>
    public static JsonObject Of(TuneOptions o, DType? dtype = null) => Given(
        ("command", "tune"),
        ("model", o.Model),
        ("out", o.Output),
        ("data", o.Data.Path),
        ("join", Escape(o.Data.Join)),
        ("rows", o.Data.StripRows ? "strip" : "keep"),
        ("field", o.Data.Field),
        ("format", o.Format == TuneFormat.Text ? "text" : "alpaca"),
        ("rank", o.Rank),
        ("alpha", o.Alpha),
        ("dropout", o.Dropout),
        ("targets", o.Targets is { } targets ? LoraTargetRoles.Format(targets) : null),
        ("lr", o.LearningRate),
        ("lr_schedule", Word(o.Decay)),
        ("warmup", o.Warmup),
        ("weight_decay", o.WeightDecay),
        ("clip", o.Clip),
        ("batch", o.Batch),
        ("micro_batch", o.MicroBatch),
        ("epochs", o.Steps is null ? o.Epochs : null),
        ("steps", o.Steps),
        ("cutoff", o.Cutoff),
        ("pack", o.Pack),
        ("train_on_inputs", o.TrainOnInputs),
        ("eval_data", o.EvalData?.Path),
        ("eval_samples", o.EvalSamples),
        ("eval_every", o.EvalData is null && o.EvalSamples is null ? null : o.EvalEvery),
        ("patience", o.Patience),
        ("tokenizer", Word(o.Tokenizer)),
        ("overwrite", o.Overwrite),
        ("dtype", Word(dtype)),
        ("seed", o.Seed));

    /// <summary>The options of <c>merge</c>.</summary>
    public static JsonObject Of(MergeOptions o) => Given(
        ("command", "merge"),
        ("model", o.Model),
        ("adapter", o.Adapter),
        ("out", o.Output),
        ("store", Word(o.Store)),
        ("overwrite", o.Overwrite));

    /// <summary>A text with its newlines, tabs and backslashes as <c>--join</c> takes them.</summary>
    public static string Escape(string text) => text.Replace(@"\", @"\\").Replace("\n", @"\n").Replace("\t", @"\t");

    /// <summary>A value as the command line has it.</summary>
    internal static string SnakeCase<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    /// <summary>A type as the command line has it.</summary>
    internal static string? Word(DType? store) => store switch
    {
        null => null,
        DType.F32 => "fp32",
        DType.BF16 => "bf16",
        DType.F16 => "fp16",
        _ => throw new ArgumentException($"{store} is no type of weights", nameof(store)),
    };

    private static string? Word(TokenizerChoice? choice) => choice switch
    {
        null => null,
        TokenizerChoice.Auto => "auto",
        TokenizerChoice.File => "file",
        _ => "slow",
    };

    private static string Word(LearningRateDecay decay) => decay switch
    {
        LearningRateDecay.Cosine => "cosine",
        LearningRateDecay.Constant => "constant",
        _ => "linear",
    };

    private static JsonObject Given(params (string Name, JsonNode? Value)[] options) =>
        [.. options.Where(o => o.Value is not null).Select(o => KeyValuePair.Create(o.Name, o.Value))];
}
