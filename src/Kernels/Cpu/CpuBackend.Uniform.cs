using System.Numerics;
using System.Runtime.CompilerServices;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Uniform(Tensor y, double limit, ulong start)
    {
        Check.Uniform(this, y);
        ForRows(y.Rows, 4 * y.Columns, (first, end) =>
        {
            for (long n = first; n < end; n++)
            {
                ulong counter = start + (ulong)(n * y.Columns);
                switch (y.DType)
                {
                    case DType.F64:
                        Draw(y.Row<double>(n), limit, counter);
                        break;
                    case DType.F32:
                        Draw(y.Row<float>(n), limit, counter);
                        break;
                    default:
                        DrawStored(y.Row<ushort>(n), limit, counter);
                        break;
                }
            }
        });
    }

    private static void DrawStored(Span<ushort> y, double limit, ulong counter)
    {
        Span<float> block = stackalloc float[256];
        for (int from = 0; from < y.Length; from += block.Length)
        {
            Span<float> part = block[..Math.Min(block.Length, y.Length - from)];
            Draw(part, limit, counter + (ulong)from);
            Bfloat16.FromSingle(part, y.Slice(from, part.Length));
        }
    }

    [MethodImpl(InnerLoop.Options)]
    private static void Draw<T>(Span<T> y, double limit, ulong counter) where T : unmanaged, INumber<T>
    {
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = T.CreateTruncating(limit * ((long)(SplitMix64(counter + (ulong)i) >> 11) * (2.0 / (1L << 53)) - 1));
        }
    }

    /// <summary>splitmix64 (Steele et al. 2014) of a counter.</summary>
    private static ulong SplitMix64(ulong counter)
    {
        ulong z = (counter + 1) * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
