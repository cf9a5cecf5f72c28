using System.Diagnostics;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>What a generation produced and how fast.</summary>
/// <param name="Ids">new ids, the one that ended the text included</param>
/// <param name="PromptSeconds">time to the first logits</param>
/// <param name="TokensPerSecond">of the new ids after that</param>
internal sealed record GeneratedTokens(IReadOnlyList<int> Ids, double PromptSeconds, double TokensPerSecond);

/// <summary>Greedy decoding with a key-value cache.</summary>
internal sealed class Generator(Session session, CausalModel model) : IDisposable
{
    private readonly IBackend backend = session.Backend;
    private readonly Forward forward = new(session.Backend, model.Spec, model.DType);

    /// <summary>Continues <paramref name="prompt"/> with the most likely id, again and again.</summary>
    /// <param name="prompt">at least one id</param>
    /// <param name="maxNewTokens">stop after this many, or where the model has no more positions (said)</param>
    /// <param name="endIds">ids that end the text; they are part of it</param>
    /// <param name="repetitionPenalty">logits of ids already present are divided by it, or multiplied where negative (Keskar et al. 2019)</param>
    /// <param name="onToken">called with each new id</param>
    public GeneratedTokens Greedy(IReadOnlyList<int> prompt, int maxNewTokens, IReadOnlyList<int> endIds, double repetitionPenalty = 1, Action<int>? onToken = null)
    {
        ModelSpec spec = model.Spec;
        if (prompt.Count == 0 || prompt.Count >= spec.MaxPositions)
        {
            throw new EngineException("NE3170", $"the prompt has {prompt.Count} tokens") { Key = "--prompt", Expected = $"1 to {spec.MaxPositions - 1}" };
        }

        if (prompt.Min() < 0 || prompt.Max() >= spec.Vocab)
        {
            throw new EngineException("NE3171", "the prompt holds an id that the model does not have") { Key = "--prompt-ids", Expected = $"0 to {spec.Vocab - 1}" };
        }

        int room = Math.Min(maxNewTokens, spec.MaxPositions - prompt.Count);
        if (room < maxNewTokens)
        {
            session.Reporter.Notice($"the model has {spec.MaxPositions} positions: at most {room} new tokens, not {maxNewTokens}");
        }

        using var cache = new KvCache(backend, spec, model.DType, 1, prompt.Count + room);
        using Tensor logits = backend.Alloc(DType.F32, new Shape(1, spec.Vocab));
        var scores = new float[spec.Vocab];
        List<int> all = [.. prompt], fresh = [];
        long start = Stopwatch.GetTimestamp(), decode = start;
        int[] input = [.. prompt];
        while (fresh.Count < room)
        {
            session.Cancel.ThrowIfCancellationRequested();
            Step(input, all.Count - input.Length, cache, logits);
            backend.Download<float>(scores, logits);
            int next = Best(scores, all, repetitionPenalty);
            if (fresh.Count == 0)
            {
                decode = Stopwatch.GetTimestamp();
            }

            all.Add(next);
            fresh.Add(next);
            onToken?.Invoke(next);
            if (endIds.Contains(next))
            {
                break;
            }

            input = [next];
        }

        // The first new id comes out of the prompt's pass, so it is not in the rate.
        double seconds = Stopwatch.GetElapsedTime(decode).TotalSeconds;
        return new GeneratedTokens(fresh, Stopwatch.GetElapsedTime(start, decode).TotalSeconds, fresh.Count > 1 ? (fresh.Count - 1) / seconds : 0);
    }

    /// <inheritdoc/>
    public void Dispose() => forward.Dispose();

    /// <summary>Logits behind the last of <paramref name="ids"/>, which follow <paramref name="start"/> cached tokens. (1,V)</summary>
    private void Step(int[] ids, int start, KvCache cache, Tensor logits)
    {
        using var batch = new TokenBatch(backend, model.Spec, ids, ids.Length, start: start);
        Tensor x = forward.Embed(model.Outer, batch);
        try
        {
            for (int l = 0; l < model.Spec.Layers.Count; l++)
            {
                LayerWeights layer = model.Layer(l);
                try
                {
                    x = forward.Layer(layer, l, x, batch, cache);
                }
                finally
                {
                    model.Release(layer);
                }
            }

            forward.Logits(logits, model.Outer, x.RowRange(x.Rows - 1, 1));
        }
        finally
        {
            x.Dispose();
        }

        if (!backend.AllFinite(logits))
        {
            throw new EngineException("NE10005", $"the logits at position {start + ids.Length - 1} are not finite") { File = model.Checkpoint.Folder };
        }
    }

    private static int Best(Span<float> logits, List<int> present, double penalty)
    {
        if (penalty != 1)
        {
            foreach (int id in present.Distinct())
            {
                logits[id] = (float)(logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty);
            }
        }

        return System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
    }
}
