using NativeEngine.Tune;

namespace NativeEngine;

/// <summary>Result of <c>tune</c>.</summary>
public sealed record TuneResult : RunResult
{
    /// <summary>The adapter folder that was written.</summary>
    public required string Output { get; init; }

    /// <summary>Optimiser steps done, those of the run that was resumed included.</summary>
    public required int Steps { get; init; }

    /// <summary>Passes over the training set that these steps make.</summary>
    public required double Epochs { get; init; }

    /// <summary>Training loss of every step, in nats per target token.</summary>
    public required IReadOnlyList<double> Loss { get; init; }

    /// <summary>Loss of the adapter that was written on the held-out set; null without one.</summary>
    public double? EvalLoss { get; init; }

    /// <summary>Every measurement on the held-out set, the first before any step; null without such a set.</summary>
    public IReadOnlyList<Evaluation>? Evaluations { get; init; }

    /// <summary>The run ended before its last step, because the held-out loss had stopped to fall.</summary>
    public required bool StoppedEarly { get; init; }

    /// <summary>Numbers that were trained.</summary>
    public required long TrainedParameters { get; init; }

    /// <summary>Examples of the training set.</summary>
    public required int Examples { get; init; }

    /// <summary>Tokens per second of training, padding not counted.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Seconds by phase.</summary>
    public required IReadOnlyDictionary<string, double> Phases { get; init; }

    /// <summary>Which tokenizer was used; "none" for token files.</summary>
    public required string Tokenizer { get; init; }
}

/// <summary>Result of <c>merge</c>.</summary>
public sealed record MergeResult : RunResult
{
    /// <summary>The folder that was written.</summary>
    public required string Output { get; init; }

    /// <summary>Parameters of the merged model: as many as before.</summary>
    public required long Parameters { get; init; }
}
