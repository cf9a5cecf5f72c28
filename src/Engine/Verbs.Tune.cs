namespace NativeEngine;

public static partial class Verbs
{
    /// <summary>Trains a LoRA adapter for a model.</summary>
    public static TuneResult Tune(Session session, TuneOptions options) => throw new NotImplementedException();

    /// <summary>Adds an adapter to the weights of its model.</summary>
    public static MergeResult Merge(Session session, MergeOptions options) => throw new NotImplementedException();
}
