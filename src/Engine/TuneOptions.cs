using NativeEngine.Kernels;

namespace NativeEngine;

/// <summary>What the records of a training file are.</summary>
public enum TuneFormat
{
    /// <summary>Objects with instruction, input and output, put into the template of Stanford Alpaca.</summary>
    Alpaca,

    /// <summary>Text, or token windows: every token is trained on.</summary>
    Text,
}

/// <summary>How the learning rate goes on after the warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>In a straight line to zero at the last step.</summary>
    Linear,

    /// <summary>Along half a cosine to zero at the last step.</summary>
    Cosine,

    /// <summary>As it is.</summary>
    Constant,
}

/// <summary>The linear maps of a layer that can have an adapter.</summary>
[Flags]
public enum LoraTargets
{
    /// <summary>Query projection.</summary>
    Q = 1,

    /// <summary>Key projection.</summary>
    K = 2,

    /// <summary>Value projection.</summary>
    V = 4,

    /// <summary>Attention output projection.</summary>
    O = 8,

    /// <summary>Gate projection of a gated MLP.</summary>
    Gate = 16,

    /// <summary>First projection of the MLP.</summary>
    Up = 32,

    /// <summary>Last projection of the MLP.</summary>
    Down = 64,

    /// <summary>All of them.</summary>
    All = Q | K | V | O | Gate | Up | Down,
}

/// <summary>Options of <c>tune</c>; the defaults are LLM-Pruner's recipe for recovery.</summary>
public sealed record TuneOptions(string Model, string Output, TextSource Data)
{
    /// <summary>What <see cref="Data"/> and <see cref="EvalData"/> hold; a .safetensors file holds token windows under <see cref="TuneFormat.Text"/>.</summary>
    public TuneFormat Format { get; init; } = TuneFormat.Alpaca;

    /// <summary>Rank of an adapter: rows of A, columns of B.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>An adapter counts Alpha / Rank times.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>Share of an adapter's inputs that is zeroed while training, from 0 up to but not including 1.</summary>
    public double Dropout { get; init; } = 0.05;

    /// <summary>Which maps get an adapter; null is all that the model has.</summary>
    public LoraTargets? Targets { get; init; }

    /// <summary>Learning rate at the end of the warm-up.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>What the learning rate does after the warm-up.</summary>
    public LearningRateDecay Decay { get; init; } = LearningRateDecay.Linear;

    /// <summary>Steps in which the learning rate rises from zero.</summary>
    public int Warmup { get; init; } = 100;

    /// <summary>Decoupled weight decay of AdamW.</summary>
    public double WeightDecay { get; init; }

    /// <summary>AdamW: decay of the mean of the gradient.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW: decay of the mean of its square.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>AdamW: added to the root of that mean.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Largest norm of the gradient of all adapters; 0 lets it be.</summary>
    public double Clip { get; init; } = 1;

    /// <summary>Examples per optimiser step.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Rows per forward and backward.</summary>
    public int MicroBatch { get; init; } = 4;

    /// <summary>Passes over the training set.</summary>
    public int Epochs { get; init; } = 2;

    /// <summary>Optimiser steps; replaces <see cref="Epochs"/>.</summary>
    public int? Steps { get; init; }

    /// <summary>Longest example, in tokens, never above the model's positions.</summary>
    public int Cutoff { get; init; } = 256;

    /// <summary>Put several examples into one row instead of padding each; they do not see each other.</summary>
    public bool Pack { get; init; }

    /// <summary>Train on the tokens of prompts too.</summary>
    public bool TrainOnInputs { get; init; }

    /// <summary>A second file of the same format, to measure the loss on.</summary>
    public TextSource? EvalData { get; init; }

    /// <summary>Examples that are taken out of the training set to measure the loss on, drawn from the seed.</summary>
    public int? EvalSamples { get; init; }

    /// <summary>Steps between two measurements; the first is made before any step, the last one behind all.</summary>
    public int EvalEvery { get; init; } = 100;

    /// <summary>Stop after this many measurements without a gain; null never stops early.</summary>
    public int? Patience { get; init; }

    /// <summary>Go on where an interrupted run with the same output stopped.</summary>
    public bool Resume { get; init; }

    /// <summary>Which tokenizer; null is <see cref="TokenizerChoice.Auto"/>.</summary>
    public TokenizerChoice? Tokenizer { get; init; }

    /// <summary>Replace an existing output folder, and the state of an interrupted run.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Seed of the adapters, the order of the examples, the held-out set and the dropout.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Throws NE2050 for a value that is not allowed and NE2051 for options that contradict each other.</summary>
    public void Check()
    {
        CheckCombination();
        OptionRules.AtLeast(1, "--rank", Rank);
        OptionRules.AtLeast(0, "--warmup", Warmup);
        OptionRules.AtLeast(1, "--batch", Batch);
        OptionRules.AtLeast(1, "--micro-batch", MicroBatch);
        OptionRules.AtLeast(1, "--epochs", Epochs);
        OptionRules.AtLeast(1, "--steps", Steps);
        OptionRules.AtLeast(2, "--cutoff", Cutoff);
        OptionRules.AtLeast(1, "--eval-samples", EvalSamples);
        OptionRules.AtLeast(1, "--eval-every", EvalEvery);
        OptionRules.AtLeast(1, "--patience", Patience);
        OptionRules.Require(Alpha > 0 && double.IsFinite(Alpha), "--alpha", Alpha, "x > 0");
        OptionRules.Require(Dropout is >= 0 and < 1, "--dropout", Dropout, "0 <= x < 1");
        OptionRules.Require(LearningRate > 0 && double.IsFinite(LearningRate), "--lr", LearningRate, "x > 0");
        OptionRules.Require(WeightDecay >= 0 && double.IsFinite(WeightDecay), "--weight-decay", WeightDecay, "x >= 0");
        OptionRules.Require(Clip >= 0 && double.IsFinite(Clip), "--clip", Clip, "x >= 0");
    }

    /// <summary>Throws NE2051 for options that contradict each other.</summary>
    public void CheckCombination()
    {
        OptionRules.Contradict(EvalData is not null && EvalSamples is not null, "--eval-data and --eval-samples are two ways to say what is held out: give one");
        OptionRules.Contradict(
            Patience is not null && EvalData is null && EvalSamples is null, "--patience and --eval-every need something to measure on: give --eval-data or --eval-samples");
        OptionRules.Contradict(TrainOnInputs && Format == TuneFormat.Text, "--train-on-inputs is about prompts, and text has none: leave it out");
    }
}

/// <summary>Options of <c>merge</c>.</summary>
public sealed record MergeOptions(string Model, string Adapter, string Output)
{
    /// <summary>What the output holds; null is what the model holds.</summary>
    public DType? Store { get; init; }

    /// <summary>Replace an existing output folder.</summary>
    public bool Overwrite { get; init; }
}
