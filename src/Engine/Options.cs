using NativeEngine.Kernels;

namespace NativeEngine;

/// <summary>Which rules turn text into ids; see README, "Tokenizers".</summary>
public enum TokenizerChoice
{
    /// <summary>What AutoTokenizer of transformers 4.41 does.</summary>
    Auto,

    /// <summary>tokenizer.json as it stands.</summary>
    File,

    /// <summary>tokenizer.model, with <c>legacy</c> as in tokenizer_config.json; tokenizer.json where there is none.</summary>
    Slow,
}

/// <summary>Perplexity protocols of the three reference implementations.</summary>
public enum PerplexityProtocol
{
    /// <summary>Mean over windows of the window's mean negative log-likelihood.</summary>
    SliceGpt,

    /// <summary>Mean over all shifted tokens; windows of 128; slow tokenizer.</summary>
    LlmPruner,

    /// <summary>Window means weighted by the window length; slow tokenizer.</summary>
    SparseGpt,
}

/// <summary>Which basis a slice is taken in.</summary>
public enum Orientation
{
    /// <summary>The principal components themselves.</summary>
    Pca,

    /// <summary>The kept components, mixed by a random rotation drawn from the seed.</summary>
    Random,
}

/// <summary>What finds the subspace that a slice keeps.</summary>
public enum EigenSolver
{
    /// <summary>The eigendecomposition of each covariance.</summary>
    Exact,

    /// <summary>A spectral projector: the same subspace without its principal components, by products and Cholesky solutions.</summary>
    Projector,
}

/// <summary>What pruning cuts.</summary>
public enum PruneScope
{
    /// <summary>Heads and MLP channels, layer by layer.</summary>
    Block,

    /// <summary>Columns of the residual stream, in the whole model.</summary>
    Channel,

    /// <summary>Whole decoder layers.</summary>
    Layer,
}

/// <summary>Text input: a .txt, .jsonl or .safetensors[:NAME[:MASK]] path and how its rows become one stream.</summary>
/// <param name="Path">the file, with tensor names after colons</param>
/// <param name="Join">between rows of a .txt or .jsonl</param>
/// <param name="StripRows">strip every row first (PTB)</param>
/// <param name="Field">the field of a .jsonl object that is the row</param>
public sealed record TextSource(string Path, string Join = "\n\n", bool StripRows = false, string Field = "text");

/// <summary>Options of <c>eval perplexity</c>.</summary>
public sealed record PerplexityOptions(string Model, TextSource Text)
{
    /// <summary>Windows and formula.</summary>
    public PerplexityProtocol Protocol { get; init; } = PerplexityProtocol.SliceGpt;

    /// <summary>Tokens per window; null is the protocol's own (2048, or 128 under llm-pruner), never above the model's positions.</summary>
    public int? SeqLen { get; init; }

    /// <summary>Windows per forward call.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Evaluate only the first n windows.</summary>
    public int? MaxChunks { get; init; }

    /// <summary>Which tokenizer; null is the protocol's own.</summary>
    public TokenizerChoice? Tokenizer { get; init; }
}

/// <summary>Options of <c>slice</c>.</summary>
public sealed record SliceOptions(string Model, string Output, TextSource Calibration)
{
    /// <summary>Fraction of the hidden width to delete, from 0 up to but not including 1; 0 deletes nothing.</summary>
    public double Sparsity { get; init; } = 0.25;

    /// <summary>Calibration windows.</summary>
    public int Samples { get; init; } = 128;

    /// <summary>Tokens per calibration window, never above the model's positions.</summary>
    public int SeqLen { get; init; } = 2048;

    /// <summary>Kept widths are rounded down to a multiple of this, where anything is deleted.</summary>
    public int Round { get; init; } = 8;

    /// <summary>Basis of the slice.</summary>
    public Orientation Orientation { get; init; } = Orientation.Pca;

    /// <summary>What finds the subspace; <see cref="EigenSolver.Projector"/> for a random orientation alone.</summary>
    public EigenSolver Eigen { get; init; } = EigenSolver.Exact;

    /// <summary>A SlicingConfig JSON with one width per layer; replaces <see cref="Sparsity"/>.</summary>
    public string? Schedule { get; init; }

    /// <summary>Slice the last signal, and with it the head's input, too.</summary>
    public bool SliceHead { get; init; }

    /// <summary>Rotate without deleting anything.</summary>
    public bool RotateOnly { get; init; }

    /// <summary>Reproduce quirks S1 and S2 of the reference.</summary>
    public bool CompatSliceGpt { get; init; }

    /// <summary>Text to measure the perplexity on, before and after.</summary>
    public TextSource? Eval { get; init; }

    /// <summary>Tokens per evaluation window.</summary>
    public int EvalSeqLen { get; init; } = 2048;

    /// <summary>Which tokenizer; null is <see cref="TokenizerChoice.Auto"/>.</summary>
    public TokenizerChoice? Tokenizer { get; init; }

    /// <summary>What the output holds; null is what the model holds.</summary>
    public DType? Store { get; init; }

    /// <summary>Replace an existing output folder.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Seed of the calibration windows and of a random orientation.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Throws NE2051 for a projector that should find principal components.</summary>
    public void Check() => CheckEigen(Orientation, Eigen);

    /// <summary>As <see cref="Check"/>.</summary>
    internal static void CheckEigen(Orientation orientation, EigenSolver eigen) => OptionRules.Contradict(
        eigen == EigenSolver.Projector && orientation != Orientation.Random,
        "--eigen projector finds the subspace of the principal components and not these: it needs --orientation random");
}

/// <summary>Options of <c>groups</c>.</summary>
/// <param name="Model">the folder of the model</param>
/// <param name="Scope">blocks, or channels of the residual</param>
public sealed record GroupsOptions(string Model, PruneScope Scope = PruneScope.Block)
{
    /// <summary>Throws NE2050 for layers, which are not coupled to each other.</summary>
    public void Check() => OptionRules.Require(Scope != PruneScope.Layer, "--scope", "layer", "block, channel");
}

/// <summary>Options of <c>generate</c>; greedy.</summary>
public sealed record GenerateOptions(string Model)
{
    /// <summary>Text to continue; used when <see cref="PromptIds"/> is null.</summary>
    public string? Prompt { get; init; }

    /// <summary>Ids to continue; no tokenizer is needed for them.</summary>
    public IReadOnlyList<int>? PromptIds { get; init; }

    /// <summary>Tokens to produce at most.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>Do not stop at the end-of-text token.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Scores of ids already present are divided (or, below zero, multiplied) by this.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Called with each piece of text as soon as it is complete.</summary>
    public Action<string>? OnText { get; init; }

    /// <summary>Which tokenizer; null is <see cref="TokenizerChoice.Auto"/>.</summary>
    public TokenizerChoice? Tokenizer { get; init; }
}

/// <summary>Options of <c>tokenize</c>.</summary>
public sealed record TokenizeOptions(string Model)
{
    /// <summary>Text to encode.</summary>
    public string? Text { get; init; }

    /// <summary>A file to encode as one string.</summary>
    public string? File { get; init; }

    /// <summary>Decode the ids again.</summary>
    public bool Decode { get; init; }

    /// <summary>Leave special tokens out, both when encoding and in decoded text.</summary>
    public bool NoSpecial { get; init; }

    /// <summary>Which tokenizer; null is <see cref="TokenizerChoice.Auto"/>.</summary>
    public TokenizerChoice? Tokenizer { get; init; }
}

/// <summary>Options of <c>export --to hf</c>.</summary>
public sealed record ExportOptions(string Model, string Output)
{
    /// <summary>What the output holds; null is what the model holds.</summary>
    public DType? Store { get; init; }

    /// <summary>Replace an existing output folder.</summary>
    public bool Overwrite { get; init; }
}
