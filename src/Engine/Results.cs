using System.Text.Json.Serialization;
using NativeEngine.Prune;
using NativeEngine.Spec;

namespace NativeEngine;

/// <summary>What every result says besides its own fields.</summary>
public abstract record RunResult
{
    /// <summary>Version of the result format.</summary>
    [JsonPropertyOrder(-3)]
    public int Schema { get; init; } = 1;

    /// <summary>The verb.</summary>
    [JsonPropertyOrder(-2)]
    public required string Command { get; init; }

    /// <summary>The model folder as given; null for verbs without one.</summary>
    [JsonPropertyOrder(-1)]
    public string? Model { get; init; }

    /// <summary>What it ran on: cpu or cuda:0, of a benchmark the device in words; null for verbs that do not compute.</summary>
    public string? Device { get; init; }

    /// <summary>What the run told the user besides its result, in order; null where there was nothing.</summary>
    public IReadOnlyList<string>? Notices { get; set; }

    /// <summary>Wall time of the whole command.</summary>
    public double Seconds { get; set; }

    /// <summary>Peak resident memory of the process.</summary>
    public long PeakRssBytes { get; set; }
}

/// <summary>Result of <c>inspect</c>.</summary>
public sealed record InspectResult : RunResult
{
    /// <summary>model_type of config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>Residual width of the original model.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Longest input.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>The residual passes through shortcut matrices: the model was sliced or rotated.</summary>
    public required bool Sliced { get; init; }

    /// <summary>Parameters; a tied matrix counts once.</summary>
    public required long Parameters { get; init; }

    /// <summary>One entry per decoder layer.</summary>
    public required IReadOnlyList<LayerShape> Layers { get; init; }

    /// <summary>Multiply-accumulates of a forward over 64 tokens (LLM-Pruner's count); the JSON field is macs_64.</summary>
    [JsonPropertyName("macs_64")]
    public required long Macs64 { get; init; }

    /// <summary>Bytes of all tensors as stored.</summary>
    public required long WeightBytes { get; init; }
}

/// <summary>Result of <c>tokenize</c>: ids for a text, count and hash for a file.</summary>
public sealed record TokenizeResult : RunResult
{
    /// <summary>Ids of --text.</summary>
    public IReadOnlyList<int>? Ids { get; init; }

    /// <summary>Number of ids of --file.</summary>
    public long? Count { get; init; }

    /// <summary>SHA-256 over the ids of --file as little-endian int32.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The ids decoded again.</summary>
    public string? Text { get; init; }

    /// <summary>Which tokenizer was used, e.g. "auto: tokenizer.model, legacy".</summary>
    public required string Tokenizer { get; init; }
}

/// <summary>Result of <c>eval perplexity</c>.</summary>
public sealed record PerplexityResult : RunResult
{
    /// <summary>exp of <see cref="MeanNll"/>; null when it is not finite.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public required double? Perplexity { get; init; }

    /// <summary>Mean negative log-likelihood in nats, as the protocol averages it; null when it is not finite.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public required double? MeanNll { get; init; }

    /// <summary>Windows evaluated.</summary>
    public required int Chunks { get; init; }

    /// <summary>Tokens in those windows.</summary>
    public required long Tokens { get; init; }

    /// <summary>Tokens per second of the forward.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>slicegpt, llm-pruner or sparsegpt.</summary>
    public required string Protocol { get; init; }

    /// <summary>Which tokenizer was used; "none" for token files.</summary>
    public required string Tokenizer { get; init; }
}

/// <summary>Perplexity before and after slicing.</summary>
public sealed record SlicePerplexity(double? Dense, double? Sliced);

/// <summary>Result of <c>slice</c>.</summary>
public sealed record SliceResult : RunResult
{
    /// <summary>The folder that was written.</summary>
    public required string Output { get; init; }

    /// <summary>The part of the original hidden width that is gone, after rounding; null under a schedule.</summary>
    public double? Sparsity { get; init; }

    /// <summary>Parameters as loaded; tied matrices count once.</summary>
    public required long ParametersBefore { get; init; }

    /// <summary>Parameters written: head untied, shortcuts counted, no norm weights.</summary>
    public required long ParametersAfter { get; init; }

    /// <summary>Calibration windows used.</summary>
    public required int Samples { get; init; }

    /// <summary>Tokens per calibration window.</summary>
    public required int SeqLen { get; init; }

    /// <summary>What found the subspaces: exact or projector.</summary>
    public required EigenSolver Eigen { get; init; }

    /// <summary>Subspaces that the exact solver had to find because the projector did not; each was said.</summary>
    public int EigenFallbacks { get; init; }

    /// <summary>One entry per decoder layer.</summary>
    public required IReadOnlyList<LayerShape> Layers { get; init; }

    /// <summary>Of the weights as stored; null without --eval.</summary>
    public SlicePerplexity? Perplexity { get; init; }

    /// <summary>Seconds by phase.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }

    /// <summary>Which tokenizer was used; "none" for token files.</summary>
    public required string Tokenizer { get; init; }
}

/// <summary>One side of one module.</summary>
/// <param name="Module">name in the checkpoint</param>
/// <param name="Dimension">out or in</param>
/// <param name="Size">indices along that side</param>
public sealed record GroupMember(string Module, string Dimension, int Size);

/// <summary>Module sides that are cut together.</summary>
/// <param name="Root">the module by which structures are numbered</param>
/// <param name="Kind">what its structures are</param>
/// <param name="Structures">how many there are</param>
/// <param name="Members">the root first</param>
public sealed record GroupResult(string Root, StructureKind Kind, int Structures, IReadOnlyList<GroupMember> Members);

/// <summary>Result of <c>groups</c>.</summary>
public sealed record GroupsResult : RunResult
{
    /// <summary>In the order of the forward.</summary>
    public required IReadOnlyList<GroupResult> Groups { get; init; }
}

/// <summary>Result of <c>generate</c>.</summary>
public sealed record GenerateResult : RunResult
{
    /// <summary>The new text; null for a folder without a tokenizer.</summary>
    public string? Text { get; init; }

    /// <summary>The new ids.</summary>
    public required IReadOnlyList<int> Ids { get; init; }

    /// <summary>New tokens per second, prompt excluded.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Seconds for the prompt.</summary>
    public double PromptSeconds { get; init; }
}

/// <summary>Result of <c>export</c>.</summary>
public sealed record ExportResult : RunResult
{
    /// <summary>The folder that was written.</summary>
    public required string Output { get; init; }

    /// <summary>Names of the files in it.</summary>
    public required IReadOnlyList<string> Files { get; init; }
}

/// <summary>Perplexity before and after pruning.</summary>
public sealed record PrunePerplexity(double? Dense, double? Pruned);

/// <summary>Result of <c>prune</c>.</summary>
public sealed record PruneResult : RunResult
{
    /// <summary>The folder that was written; null when only a plan was.</summary>
    public string? Output { get; init; }

    /// <summary>The plan file that was written.</summary>
    public string? Plan { get; init; }

    /// <summary>The part of every group that goes, as given or as found for a size (by cutting all groups alike); of whole layers, the part of them. Null where a plan was applied.</summary>
    public double? Ratio { get; init; }

    /// <summary>Parameters as loaded; tied matrices count once.</summary>
    public required long ParametersBefore { get; init; }

    /// <summary>Parameters of the pruned model.</summary>
    public required long ParametersAfter { get; init; }

    /// <summary>What goes, numbered in the dense model.</summary>
    public required IReadOnlyList<PrunedGroup> Groups { get; init; }

    /// <summary>One entry per decoder layer that stays.</summary>
    public required IReadOnlyList<LayerShape> Layers { get; init; }

    /// <summary>Of the weights as stored; null without --eval.</summary>
    public PrunePerplexity? Perplexity { get; init; }

    /// <summary>Stock transformers loads the output.</summary>
    public bool Stock => WhyNotStock is null;

    /// <summary>Why it does not; null when it does.</summary>
    [JsonIgnore]
    public string? WhyNotStock { get; init; }

    /// <summary>It does only where it reads head_dim: versions newer than 4.41. Left out of JSON where false.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool NeedsHeadDim { get; init; }

    /// <summary>Seconds by phase.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }

    /// <summary>Which tokenizer was used; "none" for token files.</summary>
    public required string Tokenizer { get; init; }
}

/// <summary>JSON of all results: snake_case, nulls left out, no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(InspectResult))]
[JsonSerializable(typeof(TokenizeResult))]
[JsonSerializable(typeof(PerplexityResult))]
[JsonSerializable(typeof(SliceResult))]
[JsonSerializable(typeof(GroupsResult))]
[JsonSerializable(typeof(PruneResult))]
[JsonSerializable(typeof(GenerateResult))]
[JsonSerializable(typeof(ExportResult))]
[JsonSerializable(typeof(TuneResult))]
[JsonSerializable(typeof(MergeResult))]
public sealed partial class ResultJson : JsonSerializerContext;
