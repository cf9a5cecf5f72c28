namespace NativeEngine.Tune;

/// <summary>A sequence to train on: the model learns to predict every token that is not part of the prompt.</summary>
/// <param name="Ids">the tokens</param>
/// <param name="PromptLength">leading tokens that are read and not predicted; 0 trains on all</param>
internal sealed record TrainingExample(int[] Ids, int PromptLength = 0)
{
    /// <summary>The cutoff took the end away.</summary>
    public bool IsCut { get; init; }

    /// <summary>Tokens that the model is trained to predict; nothing predicts the first one.</summary>
    public int TargetCount => Math.Max(0, Ids.Length - Math.Max(1, PromptLength));
}
