using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Random operands and the product by its definition, in fp64.</summary>
internal static class GemmReference
{
    /// <summary>A matrix of uniform numbers in -1/2 .. 1/2; with a gap, its rows are further apart than they are long.</summary>
    public static Tensor Random(CpuBackend cpu, DType dtype, long rows, long columns, int seed, long gap = 0)
    {
        Tensor owner = cpu.Alloc(dtype, new Shape(rows, columns + gap));
        var random = new Random(seed);
        for (long i = 0; i < rows; i++)
        {
            for (long j = 0; j < columns + gap; j++)
            {
                // What lies in the gap must not be used.
                Set(owner, i, j, j < columns ? random.NextDouble() - 0.5 : double.NaN);
            }
        }

        return gap == 0 ? owner : owner.ColumnRange(0, columns);
    }

    /// <summary>The same numbers in BF16, and as what they are then in F32; both with the given gap.</summary>
    public static (Tensor Stored, Tensor Widened) RandomStored(CpuBackend cpu, long rows, long columns, int seed, long gap = 0)
    {
        using Tensor exact = Random(cpu, DType.F32, rows, columns, seed);
        Tensor stored = cpu.Alloc(DType.BF16, new Shape(rows, columns + gap)).ColumnRange(0, columns);
        Tensor widened = cpu.Alloc(DType.F32, new Shape(rows, columns + gap)).ColumnRange(0, columns);
        cpu.Copy(stored, exact);
        cpu.Copy(widened, stored);
        return (stored, widened);
    }

    public static unsafe double At(Tensor x, long i, long j)
    {
        long at = i * x.RowStride + j;
        return x.DType == DType.F32 ? ((float*)x.Address)[at] : ((double*)x.Address)[at];
    }

    public static unsafe void Set(Tensor x, long i, long j, double value)
    {
        long at = i * x.RowStride + j;
        if (x.DType == DType.F32)
        {
            ((float*)x.Address)[at] = (float)value;
        }
        else
        {
            ((double*)x.Address)[at] = value;
        }
    }

    /// <summary>alpha op(a) op(b) + beta c, rows by rows.</summary>
    public static double[,] Product(Tensor a, Tensor b, bool transposeA, bool transposeB, double alpha, double beta, Tensor c)
    {
        long k = transposeA ? a.Rows : a.Columns;
        var product = new double[c.Rows, c.Columns];
        for (long i = 0; i < c.Rows; i++)
        {
            for (long j = 0; j < c.Columns; j++)
            {
                double sum = 0;
                for (long p = 0; p < k; p++)
                {
                    sum += (transposeA ? At(a, p, i) : At(a, i, p)) * (transposeB ? At(b, j, p) : At(b, p, j));
                }

                product[i, j] = alpha * sum + (beta == 0 ? 0 : beta * At(c, i, j));
            }
        }

        return product;
    }

    public static void AssertClose(double[,] expected, Tensor actual, double tolerance, string what)
    {
        for (long i = 0; i < actual.Rows; i++)
        {
            for (long j = 0; j < actual.Columns; j++)
            {
                double error = Math.Abs(expected[i, j] - At(actual, i, j));
                Assert.True(error <= tolerance, $"{what}: [{i}, {j}] is {At(actual, i, j)}, expected {expected[i, j]}");
            }
        }
    }
}
