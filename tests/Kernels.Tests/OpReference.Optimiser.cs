namespace NativeEngine.Kernels.Tests;

/// <summary>Random numbers and the optimiser.</summary>
internal static partial class OpReference
{
    /// <summary>Word <paramref name="counter"/> of splitmix64, as the authors' code steps to it, as a number of ± <paramref name="limit"/>.</summary>
    public static double Uniform(double limit, ulong counter)
    {
        ulong state = unchecked(counter * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15);
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB;
        return limit * (2 * Math.ScaleB((state ^ (state >> 31)) >> 11, -53) - 1);
    }

    /// <summary>The number of a 16-bit type next to x, which is rounded to F32 before; of two the even one.</summary>
    public static double Stored(DType dtype, double x) => dtype switch
    {
        DType.BF16 => ToBF16((float)x),
        DType.F16 => (double)(Half)(float)x,
        _ => x,
    };

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

    private static double ToBF16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x), kept = bits >> 16, rest = bits & 0xFFFF;
        return BitConverter.UInt32BitsToSingle((rest > 0x8000 || (rest == 0x8000 && (kept & 1) == 1) ? kept + 1 : kept) << 16);
    }
}
