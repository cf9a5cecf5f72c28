using NativeEngine.Spec;

namespace NativeEngine.Evaluate;

/// <summary>What a forward costs, counted from the shapes alone.</summary>
internal static class Cost
{
    /// <summary>
    /// Multiply-accumulates of a forward over <paramref name="q"/> tokens, as LLM-Pruner's test_speedup.py counts them
    /// (it reproduces Table 3 of Ma et al. 2023 exactly): linear maps, q k^T and p v, softmax, rotary products, norms, and the MLP's product.
    /// </summary>
    public static long Macs(ModelSpec spec, int q)
    {
        long macs = 2L * q * spec.HeadWidth + (long)q * spec.HeadWidth * spec.Vocab;
        foreach (LayerShape s in spec.Layers)
        {
            long perToken = (long)s.AttentionInput * (s.QueryWidth + 2L * s.KeyWidth) + (long)s.QueryWidth * s.AttentionOutput
                + (spec.GatedMlp ? 3L : 2L) * s.MlpInput * s.Ffn + s.Ffn
                + (spec.Rope is null ? 0 : 2L * (s.QueryWidth + s.KeyWidth))
                + 2L * s.AttentionInput + (spec.Residual == ResidualKind.Sequential ? 2L * s.MlpInput : 0);
            if (spec.Shortcuts)
            {
                perToken += (long)s.AttentionInput * s.AttentionOutput + (spec.Residual == ResidualKind.Sequential ? (long)s.MlpInput * s.MlpOutput : 0);
            }

            macs += q * perToken + s.Heads * (2L * q * q * s.HeadDim + (long)q * q);
        }

        return macs;
    }
}
