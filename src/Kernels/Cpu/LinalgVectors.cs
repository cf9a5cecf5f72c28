using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Loops over contiguous fp64 vectors that the factorisations share. The order of summation depends on the length only.</summary>
internal static unsafe class LinalgVectors
{
    private const int Lanes = 8;

    /// <summary>x . y</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(long n, double* x, double* y)
    {
        Vector512<double> s0 = default, s1 = default;
        long i = 0;
        for (; i <= n - 2 * Lanes; i += 2 * Lanes)
        {
            s0 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i), Vector512.Load(y + i), s0);
            s1 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i + Lanes), Vector512.Load(y + i + Lanes), s1);
        }

        double sum = Vector512.Sum(s0 + s1);
        for (; i < n; i++)
        {
            sum += x[i] * y[i];
        }

        return sum;
    }

    /// <summary>y += alpha x</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(long n, double alpha, double* x, double* y)
    {
        Vector512<double> a = Vector512.Create(alpha);
        long i = 0;
        for (; i <= n - Lanes; i += Lanes)
        {
            Vector512.MultiplyAddEstimate(a, Vector512.Load(x + i), Vector512.Load(y + i)).Store(y + i);
        }

        for (; i < n; i++)
        {
            y[i] += alpha * x[i];
        }
    }

    /// <summary>x *= alpha</summary>
    public static void Scale(long n, double alpha, double* x)
    {
        for (long i = 0; i < n; i++)
        {
            x[i] *= alpha;
        }
    }

    /// <summary>(x, y) = (c x + s y, c y - s x)</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(long n, double* x, double* y, double c, double s)
    {
        Vector512<double> cc = Vector512.Create(c), ss = Vector512.Create(s);
        long i = 0;
        for (; i <= n - Lanes; i += Lanes)
        {
            Vector512<double> u = Vector512.Load(x + i), v = Vector512.Load(y + i);
            (cc * u + ss * v).Store(x + i);
            (cc * v - ss * u).Store(y + i);
        }

        for (; i < n; i++)
        {
            (x[i], y[i]) = (c * x[i] + s * y[i], c * y[i] - s * x[i]);
        }
    }

    /// <summary>y = x</summary>
    public static void Copy(long n, double* x, double* y) => Buffer.MemoryCopy(x, y, n * sizeof(double), n * sizeof(double));

    /// <summary>x = 0</summary>
    public static void Clear(long n, double* x) => new Span<double>(x, checked((int)n)).Clear();
}
