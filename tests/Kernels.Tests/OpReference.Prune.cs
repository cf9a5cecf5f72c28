namespace NativeEngine.Kernels.Tests;

/// <summary>Importance and deletion.</summary>
internal static partial class OpReference
{
    public static void AddSaliency(double[] scores, double[] w, double[] g, double[] h, Saliency saliency, bool columns, int n, int d)
    {
        var sums = new double[scores.Length];
        for (int i = 0; i < n * d; i++)
        {
            sums[columns ? i % d : i / d] += saliency switch
            {
                Saliency.Magnitude => Math.Abs(w[i]),
                Saliency.Square => w[i] * w[i],
                Saliency.FirstOrder => Math.Abs(w[i] * g[i]),
                Saliency.Signed => w[i] * g[i],
                Saliency.SecondOrder => Math.Abs(w[i] * w[i] * h[i]),
                Saliency.Mixed => Math.Abs(w[i] * g[i] - w[i] * w[i] * h[i] / 2),
                _ => throw new ArgumentOutOfRangeException(nameof(saliency)),
            };
        }

        for (int i = 0; i < sums.Length; i++)
        {
            scores[i] += Math.Abs(sums[i]);
        }
    }

    /// <summary>The kept rows and columns of x, and 0 elsewhere.</summary>
    public static void Keep(double[] x, double[] rows, double[] columns, int n, int d)
    {
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < d; j++)
            {
                x[i * d + j] = i < rows.Length && j < columns.Length ? x[(int)rows[i] * d + (int)columns[j]] : 0;
            }
        }
    }
}
