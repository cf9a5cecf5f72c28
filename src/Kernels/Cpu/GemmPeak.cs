using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>The rate of independent multiply-adds on the registers that the product kernels use: what no product can exceed.</summary>
public static unsafe class GemmPeak
{
    private const long Steps = 100_000;
    private const int Chains = 12; // more than latency times issue width of any current core
    private const int Bursts = 16;

    /// <summary>GFLOP/s of <paramref name="threads"/> threads together on F32 or F64, best of some bursts of about a millisecond.</summary>
    public static double Measure(DType dtype, int threads) => dtype switch
    {
        DType.F32 => Measure<float>(threads),
        DType.F64 => Measure<double>(threads),
        _ => throw new ArgumentException($"GemmPeak: {dtype} is not computed on the CPU"),
    };

    private static double Measure<T>(int threads) where T : unmanaged, INumber<T>
    {
        GemmTiles<T> tiles = GemmTiles<T>.Best;
        double flops = 2.0 * Chains * Steps * tiles.Vector;
        double best = 0;
        for (int burst = 0; burst < Bursts; burst++)
        {
            // Each thread times itself, so that one which starts late does not count as slow.
            double[] rates = new double[threads];
            using var start = new Barrier(threads);
            Thread[] runners = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
            {
                start.SignalAndWait();
                long begin = Stopwatch.GetTimestamp();
                Spin<T>(tiles.Isa);
                rates[i] = flops / Stopwatch.GetElapsedTime(begin).TotalSeconds / 1e9;
            }))];
            Array.ForEach(runners, t => t.Start());
            Array.ForEach(runners, t => t.Join());
            best = Math.Max(best, rates.Sum());
        }

        return best;
    }

    private static void Spin<T>(Isa isa) where T : unmanaged, INumber<T>
    {
        T* sums = stackalloc T[64];
        switch (isa)
        {
            case Isa.Vector512:
                Spin<T, Vector512<T>, Simd512<T>>(sums);
                break;
            case Isa.Vector256:
                Spin<T, Vector256<T>, Simd256<T>>(sums);
                break;
            default:
                Spin<T, Vector128<T>, Simd128<T>>(sums);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Spin<T, V, S>(T* sums)
        where T : unmanaged, INumber<T>
        where V : struct
        where S : ISimd<T, V>
    {
        V x = S.Broadcast(T.CreateChecked(0.5));
        V c0 = x, c1 = x, c2 = x, c3 = x, c4 = x, c5 = x, c6 = x, c7 = x, c8 = x, c9 = x, c10 = x, c11 = x;
        for (long step = 0; step < Steps; step++)
        {
            c0 = S.MultiplyAdd(c0, x, x);
            c1 = S.MultiplyAdd(c1, x, x);
            c2 = S.MultiplyAdd(c2, x, x);
            c3 = S.MultiplyAdd(c3, x, x);
            c4 = S.MultiplyAdd(c4, x, x);
            c5 = S.MultiplyAdd(c5, x, x);
            c6 = S.MultiplyAdd(c6, x, x);
            c7 = S.MultiplyAdd(c7, x, x);
            c8 = S.MultiplyAdd(c8, x, x);
            c9 = S.MultiplyAdd(c9, x, x);
            c10 = S.MultiplyAdd(c10, x, x);
            c11 = S.MultiplyAdd(c11, x, x);
        }

        // Stored, so that no chain is dead code.
        c0 = S.MultiplyAdd(c0, c1, S.MultiplyAdd(c2, c3, S.MultiplyAdd(c4, c5, x)));
        c6 = S.MultiplyAdd(c6, c7, S.MultiplyAdd(c8, c9, S.MultiplyAdd(c10, c11, x)));
        S.Store(sums, S.Multiply(c0, c6));
    }
}
