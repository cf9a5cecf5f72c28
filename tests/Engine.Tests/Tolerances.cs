namespace NativeEngine.Tests;

/// <summary>Every tolerance of these tests that a reference file does not state itself.</summary>
internal static class Tolerances
{
    /// <summary>Log-probabilities of the 2-layer variants (golden/forward/README.md).</summary>
    public const double VariantLogProb = 2e-4;

    /// <summary>Log-probabilities computed in F64 against the exact ones; rotary tables and erf are the only approximations.</summary>
    public const double ExactLogProb = 1e-9;

    /// <summary>Share of the energy of the largest eigenvalues that a subspace from the projector may lack; the gate is 1e-4.</summary>
    public const double EnergyGap = 1e-6;

    /// <summary>Perplexity of a model sliced by the projector against the exact solver: the same subspaces in another basis, rounded to F32.</summary>
    public const double ProjectedPerplexity = 1e-5;

    /// <summary>Perplexity after slicing in two steps against one: the second PCA sees a signal that has lost its smallest components.</summary>
    public const double SlicedTwice = 2e-3;

    /// <summary>Loss of stock transformers on an older torch against ours, relative.</summary>
    public const double StockLoss = 5e-6;

    /// <summary>Log-likelihoods of W + s B A, rounded once, against W and s B A apart, relative.</summary>
    public const double MergedLoss = 2e-7;

    /// <summary>Norm of the gradient of the same examples in other rows, relative.</summary>
    public const double PackedGradientNorm = 2e-6;

    /// <summary>Perplexities as README prints them, with two decimals.</summary>
    public const double ReadmePerplexity = 1e-4;

    /// <summary>The same model stored in bf16 and in fp16.</summary>
    public const double SixteenBitStore = 2e-3;

    /// <summary>Elements of gradients (golden/llmpruner/README.md), of the largest one.</summary>
    public const double GradientTimesMax = 2e-5;

    /// <summary>Step of a finite difference, of the size of the weights: small, so that few inputs of a ReLU change sign on the way.</summary>
    public const double SlopeStep = 1e-5;

    /// <summary>A finite difference of a loss in F64 against its gradient, of the gradient's size.</summary>
    public const double Slope = 1e-6;

    /// <summary>The same quantity computed in F64 in another order, of the largest element.</summary>
    public const double SameInF64 = 1e-10;

    /// <summary>Rounding of a loss in F64, which a finite difference divides by h.</summary>
    public const double SlopeNoise = 1e-14;

    /// <summary>Importance summed from absolute values (golden/llmpruner/README.md).</summary>
    public const double Importance = 5e-5;

    /// <summary>The same of one channel, before the sum over a head evens its rounding out.</summary>
    public const double SingleRow = 5e-5;

    /// <summary>Perplexity of a pruned model (golden/llmpruner/README.md).</summary>
    public const double PrunedPerplexity = 2e-5;

    /// <summary>Log-probabilities of a model that lost heads and channels against one where they are zero: the same sums in another order.</summary>
    public const double CutAgainstZeroed = 2e-5;

    /// <summary>Learning rates that transformers records, cut off behind two decimals.</summary>
    public const double RecordedRate = 1e-2;

    /// <summary>Block influence of a forward in F32 against one in F64.</summary>
    public const double Influence = 2e-6;

    /// <summary>Loss of a tuning step on a sliced model, relative (golden/slicegpt/tiny-llama/finetune.json: its F64 run differs by 1e-7).</summary>
    public const double TuneLoss = 5e-6;

    /// <summary>Norm of its gradient, relative (F64 differs by 2e-6).</summary>
    public const double TuneGradientNorm = 5e-5;

    /// <summary>Elements of adapters after 16 or 20 steps (F64 differs by 2e-5: AdamW turns the sign of a tiny gradient into a whole step).</summary>
    public const double TunedAdapter = 5e-5;

    /// <summary>Scalar product of a principal component and the recorded one, away from 1.</summary>
    public const double SameComponent = 1e-4;

    /// <summary>The loss of packed rows against padded ones, relative: the same sums in F32, over rows of other widths.</summary>
    public const double PackedLoss = 1e-6;
}
