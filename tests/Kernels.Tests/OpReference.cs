namespace NativeEngine.Kernels.Tests;

/// <summary>What the ops compute, in double precision and as plainly as it can be written. Row-major, no gaps; n rows, d columns.</summary>
internal static partial class OpReference
{
    public static void RmsNorm(double[] y, double[] x, double[]? gain, int n, int d, double eps, long width)
    {
        for (int i = 0; i < n; i++)
        {
            double sum = 0;
            for (int j = 0; j < d; j++)
            {
                sum += x[i * d + j] * x[i * d + j];
            }

            for (int j = 0; j < d; j++)
            {
                y[i * d + j] = x[i * d + j] / Math.Sqrt(sum / width + eps) * (gain?[j] ?? 1);
            }
        }
    }

    public static void LayerNorm(double[] y, double[] x, double[]? gain, double[]? bias, int n, int d, double eps)
    {
        for (int i = 0; i < n; i++)
        {
            double mean = 0, variance = 0;
            for (int j = 0; j < d; j++)
            {
                mean += x[i * d + j] / d;
            }

            for (int j = 0; j < d; j++)
            {
                variance += (x[i * d + j] - mean) * (x[i * d + j] - mean) / d;
            }

            for (int j = 0; j < d; j++)
            {
                y[i * d + j] = (x[i * d + j] - mean) / Math.Sqrt(variance + eps) * (gain?[j] ?? 1) + (bias?[j] ?? 0);
            }
        }
    }

    public static void Rope(double[] x, double[] cos, double[] sin, double[] positions, int n, int heads, int headDim, int half)
    {
        for (int i = 0; i < n; i++)
        {
            for (int h = 0; h < heads; h++)
            {
                for (int r = 0; r < half; r++)
                {
                    int a = (i * heads + h) * headDim + r, b = a + half, angle = (int)positions[i] * half + r;
                    (x[a], x[b]) = (x[a] * cos[angle] - x[b] * sin[angle], x[b] * cos[angle] + x[a] * sin[angle]);
                }
            }
        }
    }

    public static double Activate(double x, Activation f) => f switch
    {
        Activation.Relu => x > 0 ? x : 0,
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => x * 0.5 * (1 + Erf(x / Math.Sqrt(2))),
        Activation.GeluTanh => x / (1 + Math.Exp(-2 * Math.Sqrt(2 / Math.PI) * (x + 0.044715 * Math.Pow(x, 3)))),
        _ => throw new ArgumentOutOfRangeException(nameof(f)),
    };

    /// <summary>erf(x) = 2 / sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (2n+1)!!: all terms have one sign, so none cancel.</summary>
    public static double Erf(double x)
    {
        double term = x, sum = x;
        for (int n = 1; n < 400 && Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }

        return Math.Abs(x) > 6 ? Math.Sign(x) : 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    public static void Softmax(double[] y, double[] x, int n, int d)
    {
        for (int i = 0; i < n; i++)
        {
            double[] row = x[(i * d)..((i + 1) * d)];
            double max = row.Max(), sum = row.Sum(value => Math.Exp(value - max));
            for (int j = 0; j < d; j++)
            {
                y[i * d + j] = Math.Exp(row[j] - max) / sum;
            }
        }
    }

    public static void TokenLogProb(double[] y, double[] logits, double[] targets, int n, int d)
    {
        for (int i = 0; i < n; i++)
        {
            double[] row = logits[(i * d)..((i + 1) * d)];
            double max = row.Max();
            y[i] = targets[i] < 0 ? 0 : row[(int)targets[i]] - max - Math.Log(row.Sum(value => Math.Exp(value - max)));
        }
    }
}
