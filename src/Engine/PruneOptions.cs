using NativeEngine.Kernels;
using NativeEngine.Prune;

namespace NativeEngine;

/// <summary>Which layers go when whole layers do.</summary>
public enum LayerScore
{
    /// <summary>The last ones: the first stay, as in the reference (L13).</summary>
    First,

    /// <summary>Those that turn the residual stream least (block influence).</summary>
    Influence,
}

/// <summary>Options of <c>prune</c>; the defaults are LLM-Pruner's recipe for a fifth of the parameters.</summary>
public sealed record PruneOptions(string Model)
{
    /// <summary>Code of the error that no ratio reaches <see cref="TargetParameters"/>.</summary>
    public const string OutOfReach = "NE2037";

    /// <summary>The folder to write; not needed when only a plan is.</summary>
    public string? Output { get; init; }

    /// <summary>Text for the gradients, or for <see cref="NativeEngine.LayerScore.Influence"/>; magnitudes need none.</summary>
    public TextSource? Calibration { get; init; }

    /// <summary>Part of every group that goes; replaced by <see cref="TargetParameters"/> or <see cref="KeepLayers"/>.</summary>
    public double Ratio { get; init; } = 0.25;

    /// <summary>Parameters of the result, as a number or as a fraction of the model's.</summary>
    public ParameterTarget? TargetParameters { get; init; }

    /// <summary>What is cut.</summary>
    public PruneScope Scope { get; init; } = PruneScope.Block;

    /// <summary>What makes a structure important.</summary>
    public ImportanceKind Importance { get; init; } = ImportanceKind.Taylor;

    /// <summary>Terms of the Taylor importance.</summary>
    public TaylorOrder Taylor { get; init; } = TaylorOrder.ParamFirst;

    /// <summary>How the members of a group are reduced.</summary>
    public Grouping Grouping { get; init; } = Grouping.Sum;

    /// <summary>Layers whose heads may go; null spares the first eighth and the last sixteenth.</summary>
    public LayerRange? AttentionLayers { get; init; }

    /// <summary>Layers whose MLP channels may go; null spares the first eighth and the last sixteenth.</summary>
    public LayerRange? MlpLayers { get; init; }

    /// <summary>Calibration windows.</summary>
    public int Samples { get; init; } = 10;

    /// <summary>Tokens per calibration window.</summary>
    public int SeqLen { get; init; } = 64;

    /// <summary>Score and cut in this many steps.</summary>
    public int Iterations { get; init; } = 1;

    /// <summary>Rank structures across groups.</summary>
    public bool Global { get; init; }

    /// <summary>MLP widths are kept to multiples of this; null is 64 from 2048 up, else 1.</summary>
    public int? Round { get; init; }

    /// <summary>Layers that stay, in scope <see cref="PruneScope.Layer"/>.</summary>
    public int? KeepLayers { get; init; }

    /// <summary>Which layers go.</summary>
    public LayerScore LayerScore { get; init; } = LayerScore.First;

    /// <summary>Reproduce quirks L2, L6, L10 and L11 of the reference.</summary>
    public bool Compat { get; init; }

    /// <summary>Write the decision to this file and cut nothing.</summary>
    public string? Plan { get; init; }

    /// <summary>Cut by this plan and decide nothing.</summary>
    public string? ApplyPlan { get; init; }

    /// <summary>Measure perplexity on this text before and after.</summary>
    public TextSource? Eval { get; init; }

    /// <summary>Tokens per evaluation window.</summary>
    public int EvalSeqLen { get; init; } = 128;

    /// <summary>Which tokenizer; null is slow under compat, else auto.</summary>
    public TokenizerChoice? Tokenizer { get; init; }

    /// <summary>Type of the output's weights; null keeps the model's.</summary>
    public DType? Store { get; init; }

    /// <summary>Replace an existing output folder.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Seed of calibration windows and of random importance.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Throws NE2050 for a value that is not allowed and NE2051 for options that contradict each other.</summary>
    public void Check()
    {
        CheckCombination();
        OptionRules.AtLeast(1, "--samples", Samples);
        OptionRules.AtLeast(1, "--seqlen", SeqLen);
        OptionRules.AtLeast(1, "--iterations", Iterations);
        OptionRules.AtLeast(1, "--round", Round);
        OptionRules.AtLeast(1, "--eval-seqlen", EvalSeqLen);
    }

    /// <summary>Throws NE2051 for options that contradict each other.</summary>
    public void CheckCombination()
    {
        string[] sizes = [.. new[] { ("--target-parameters", TargetParameters is not null), ("--keep-layers", KeepLayers is not null), ("--apply-plan", ApplyPlan is not null) }
            .Where(size => size.Item2).Select(size => size.Item1)];
        OptionRules.Contradict(sizes.Length > 1, $"{sizes.FirstOrDefault()} and {sizes.LastOrDefault()} both say what is cut: give one");
        OptionRules.Contradict(Output is null && Plan is null, "OUT is missing: name a folder to write, or --plan to write the decision alone");
        OptionRules.Contradict(Output is not null && Plan is not null, "--plan writes the decision alone: leave out OUT, and cut with --apply-plan");
        OptionRules.Contradict(Plan is not null && ApplyPlan is not null, "--plan decides and cuts nothing: leave out --apply-plan");
        OptionRules.Contradict(Plan is not null && Eval is not null, "--plan decides and cuts nothing: leave out --eval");
        OptionRules.Contradict(KeepLayers is not null && Scope != PruneScope.Layer, "--keep-layers needs --scope layer");
        OptionRules.Contradict(Scope == PruneScope.Layer && Iterations > 1, "--iterations does not go with --scope layer: all layers are ranked once");
    }
}
