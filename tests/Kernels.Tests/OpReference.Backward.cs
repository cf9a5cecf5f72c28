namespace NativeEngine.Kernels.Tests;

/// <summary>Gradients.</summary>
internal static partial class OpReference
{
    public static void AddColumnSums(double[] b, double[] x, int n, int d)
    {
        for (int i = 0; i < n * d; i++)
        {
            b[i % d] += x[i];
        }
    }

    public static void RmsNormBackward(double[] dx, double[]? dgain, double[] dy, double[] x, double[]? gain, int n, int d, double eps, long width)
    {
        for (int i = 0; i < n; i++)
        {
            int[] row = [.. Enumerable.Range(i * d, d)];
            double scale = 1 / Math.Sqrt(row.Sum(j => x[j] * x[j]) / width + eps);
            double dot = row.Sum(j => dy[j] * (gain?[j % d] ?? 1) * x[j]);
            foreach (int j in row)
            {
                dx[j] += scale * dy[j] * (gain?[j % d] ?? 1) - x[j] * Math.Pow(scale, 3) * dot / width;
                AddTo(dgain, j % d, dy[j] * x[j] * scale);
            }
        }
    }

    public static void LayerNormBackward(
        double[] dx, double[]? dgain, double[]? dbias, double[] dy, double[] x, double[]? gain, int n, int d, double eps)
    {
        for (int i = 0; i < n; i++)
        {
            int[] row = [.. Enumerable.Range(i * d, d)];
            double mean = row.Sum(j => x[j]) / d, scale = 1 / Math.Sqrt(row.Sum(j => Math.Pow(x[j] - mean, 2)) / d + eps);
            double U(int j) => dy[j] * (gain?[j % d] ?? 1);
            double Normalised(int j) => (x[j] - mean) * scale;
            double meanOfU = row.Sum(U) / d, meanOfProduct = row.Sum(j => U(j) * Normalised(j)) / d;
            foreach (int j in row)
            {
                dx[j] += scale * (U(j) - meanOfU - Normalised(j) * meanOfProduct);
                AddTo(dgain, j % d, dy[j] * Normalised(j));
                AddTo(dbias, j % d, dy[j]);
            }
        }
    }

    public static void EmbedBackward(double[] dtable, double[] dy, double[] ids, int n, int d)
    {
        for (int i = 0; i < n * d; i++)
        {
            dtable[(int)ids[i / d] * d + i % d] += dy[i];
        }
    }

    public static double Slope(double x, Activation f)
    {
        double twoU = 2 * Math.Sqrt(2 / Math.PI) * (x + 0.044715 * Math.Pow(x, 3)), slopeOfTwoU = 2 * Math.Sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
        return f switch
        {
            Activation.Relu => x > 0 ? 1 : 0,
            Activation.Silu => Sigmoid(x) + x * Sigmoid(x) * Sigmoid(-x),
            Activation.Gelu => 0.5 * (1 + Erf(x / Math.Sqrt(2))) + x * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI),
            Activation.GeluTanh => Sigmoid(twoU) + x * Sigmoid(twoU) * Sigmoid(-twoU) * slopeOfTwoU,
            _ => throw new ArgumentOutOfRangeException(nameof(f)),
        };
    }

    public static void ActivateGatedBackward(double[] dgate, double[] dup, double[] dy, double[] gate, double[] up, Activation f)
    {
        for (int i = 0; i < dy.Length; i++)
        {
            (dgate[i], dup[i]) = (dy[i] * up[i] * Slope(gate[i], f), dy[i] * Activate(gate[i], f));
        }
    }

    public static void CrossEntropy(double[] loss, double[] logits, double[] targets, double scale, int n, int d)
    {
        TokenLogProb(loss, logits, targets, n, d);
        Softmax(logits, logits, n, d);
        for (int i = 0; i < n; i++)
        {
            loss[i] = -loss[i];
            for (int j = 0; j < d; j++)
            {
                logits[i * d + j] = targets[i] < 0 ? 0 : scale * (logits[i * d + j] - (targets[i] == j ? 1 : 0));
            }
        }
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static void AddTo(double[]? sums, int i, double value)
    {
        if (sums is not null)
        {
            sums[i] += value;
        }
    }
}
