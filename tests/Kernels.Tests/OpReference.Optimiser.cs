namespace NativeEngine.Kernels.Tests;

/// <summary>Dropout and the optimiser.</summary>
internal static partial class OpReference
{
    public static void Dropout(double[] y, double[] x, double rate, ulong key, int skipped = 0)
    {
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = Philox((ulong)(skipped + i) / 4, 0, key)[(skipped + i) % 4] < Math.Round(rate * Math.Pow(2, 32)) ? 0 : x[i] / (1 - rate);
        }
    }

    /// <summary>Philox4x32-10, word by word as in the paper.</summary>
    public static uint[] Philox(ulong counterLow, ulong counterHigh, ulong key)
    {
        (uint x0, uint x1, uint x2, uint x3) = ((uint)counterLow, (uint)(counterLow >> 32), (uint)counterHigh, (uint)(counterHigh >> 32));
        (uint k0, uint k1) = ((uint)key, (uint)(key >> 32));
        for (int round = 0; round < 10; round++)
        {
            ulong a = 0xD2511F53ul * x0, b = 0xCD9E8D57ul * x2;
            (x0, x1, x2, x3) = ((uint)(b >> 32) ^ x1 ^ k0, (uint)b, (uint)(a >> 32) ^ x3 ^ k1, (uint)a);
            (k0, k1) = (k0 + 0x9E3779B9, k1 + 0xBB67AE85);
        }

        return [x0, x1, x2, x3];
    }

    /// <summary>As torch.optim.AdamW documents it.</summary>
    public static void AdamW(double[] w, double[] g, double[] m, double[] v, AdamWStep step)
    {
        for (int i = 0; i < w.Length; i++)
        {
            double gradient = g[i] * step.GradientScale;
            w[i] -= step.LearningRate * step.WeightDecay * w[i];
            m[i] = step.Beta1 * m[i] + (1 - step.Beta1) * gradient;
            v[i] = step.Beta2 * v[i] + (1 - step.Beta2) * gradient * gradient;
            double mean = m[i] / (1 - Math.Pow(step.Beta1, step.Step)), square = v[i] / (1 - Math.Pow(step.Beta2, step.Step));
            w[i] -= step.LearningRate * mean / (Math.Sqrt(square) + step.Epsilon);
        }
    }
}
