using NativeEngine.Spec;

namespace NativeEngine.Bench;

/// <summary>Operations that a slice cannot do without.</summary>
internal static class SliceCost
{
    /// <summary>Multiplications and additions of one forward, the triangles of the covariances, and the rotations of signal and weights.
    /// <paramref name="measuresLast"/>: the signal behind the last station, which nothing slices, is computed and rotated as well.</summary>
    public static double Operations(ModelSpec dense, ModelSpec target, int rows, int width, bool measuresLast)
    {
        double tokens = (double)rows * width, d = dense.Hidden, sum = tokens * d * d;
        bool parallel = dense.Residual == ResidualKind.Parallel;
        for (int l = 0; l < dense.Layers.Count; l++)
        {
            LayerShape s = dense.Layers[l], t = target.Layers[l];
            double inputs = s.QueryWidth + 2.0 * s.KeyWidth, mlpIn = (dense.GatedMlp ? 2.0 : 1.0) * s.Ffn;
            double signal = 2 * t.AttentionInput * d + 0.5 * d * d; // into the basis and past the station; a triangle of the covariance
            double attention = t.AttentionInput * inputs + s.QueryWidth * d + (double)width * s.QueryWidth; // half of q k^T and half of p v
            double mlp = t.MlpInput * mlpIn + s.Ffn * d;
            double attentionOut = (double)s.QueryWidth * t.AttentionOutput * d, mlpOut = (double)s.Ffn * t.MlpOutput * d;
            double first = tokens * (attention + signal) + attentionOut, last = tokens * mlp + mlpOut;
            (first, last) = parallel ? (0, first + last) : (first, last + tokens * signal);
            bool isMeasured = measuresLast || l < dense.Layers.Count - 1;
            sum += 2 * (first + (isMeasured ? last : 0) + (inputs * t.AttentionInput + mlpIn * t.MlpInput) * d);
        }

        return sum;
    }
}
