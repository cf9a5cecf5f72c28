using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>Operations that a slice cannot do without.</summary>
internal static class SliceCost
{
    /// <summary>Multiplications and additions of one forward, the triangles of the covariances, and the rotations of signal and weights.</summary>
    public static double Operations(ModelSpec dense, ModelSpec target, int rows, int width)
    {
        double tokens = (double)rows * width, d = dense.Hidden, sum = tokens * d * d;
        bool parallel = dense.Residual == ResidualKind.Parallel;
        for (int l = 0; l < dense.Layers.Count; l++)
        {
            LayerShape s = dense.Layers[l], t = target.Layers[l];
            double inputs = s.QueryWidth + 2.0 * s.KeyWidth, mlpIn = (dense.GatedMlp ? 2.0 : 1.0) * s.Ffn;
            double perToken = t.AttentionInput * inputs + s.QueryWidth * d + t.MlpInput * mlpIn + s.Ffn * d // linear maps
                + (double)width * s.QueryWidth // causal attention: half of q k^T and half of p v
                + (parallel ? 2 : 4) * t.AttentionInput * d // signal into the basis, and past the station
                + (parallel ? 0.5 : 1) * d * d; // triangles of the covariances
            double weights = (inputs * t.AttentionInput + mlpIn * t.MlpInput + s.QueryWidth * t.AttentionOutput + s.Ffn * t.MlpOutput) * d;
            sum += 2 * (tokens * perToken + weights);
        }

        return sum;
    }
}
