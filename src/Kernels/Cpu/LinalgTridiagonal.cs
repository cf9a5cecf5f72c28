using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Householder reduction of a symmetric matrix to tridiagonal form, T = H_1 .. H_{n-1} a H_{n-1} .. H_1, in blocks of rows
/// from the last to the first: half of the work is a rank-2k update through the product kernels, the other half a
/// matrix-vector product with the remaining triangle (LAPACK's dsytrd and dlatrd; rows here are columns there).
/// Afterwards row r of a holds the vector of H_r: r elements, the last of them 1, then zeros.
/// </summary>
internal sealed unsafe class LinalgTridiagonal(Team team, long n, double* a, long lda, double* d, double* e, double* tau)
{
    /// <summary>Rows reduced between two updates of the rest.</summary>
    public const int BlockRows = 32;

    private const int MaxParts = 16;
    private const long UpdateRows = 96;

    // The block's pairs: rows 2t and 2t + 1 of left hold v, w; of right w, v; so a -= left^T right.
    private double* left, right, partial;

    /// <summary>Elements of work memory that <see cref="Run"/> needs.</summary>
    public static long WorkSize(long n) => (4 * BlockRows + MaxParts) * n;

    public void Run(double* work)
    {
        left = work;
        right = left + 2 * BlockRows * n;
        partial = right + 2 * BlockRows * n;
        for (long end = n; end > 0; end -= BlockRows)
        {
            long begin = Math.Max(0, end - BlockRows);
            for (long i = end - 1; i >= begin; i--)
            {
                ReduceRow(i, 2 * (end - 1 - i));
            }

            team.ForRanges(begin, UpdateRows, (from, to) => GemmKernels.Run(
                to - from, to, 2 * (end - begin), -1.0, left + from, n, true, right, n, false, 1.0, a + from * lda, lda));
        }
    }

    private void ReduceRow(long i, long pairs)
    {
        double* row = a + i * lda;
        double* coefficients = stackalloc double[2 * BlockRows];
        for (long t = 0; t < pairs; t++)
        {
            coefficients[t] = left[t * n + i];
        }

        Subtract(i + 1, pairs, coefficients, row);
        d[i] = row[i];
        LinalgVectors.Clear(n - i, row + i);
        if (i == 0)
        {
            return;
        }

        tau[i] = LinalgHouseholder.Reflect(i - 1, ref row[i - 1], row);
        e[i - 1] = row[i - 1];
        row[i - 1] = 1;

        double* w = left + (pairs + 1) * n;
        Multiply(i, row, w);
        GemmKernels.Run(1, pairs, i, 1.0, row, lda, false, left, n, true, 0.0, coefficients, pairs);
        Subtract(i, pairs, coefficients, w);
        LinalgVectors.Scale(i, tau[i], w);
        LinalgVectors.AddScaled(i, -0.5 * tau[i] * LinalgVectors.Dot(i, w, row), row, w);

        LinalgVectors.Copy(i, row, left + pairs * n);
        LinalgVectors.Copy(i, w, right + pairs * n);
        LinalgVectors.Copy(i, row, right + (pairs + 1) * n);
    }

    /// <summary>x -= coefficients . right, the part of the rank-2k update that a row needs now</summary>
    private void Subtract(long length, long pairs, double* coefficients, double* x) =>
        GemmKernels.Run(1, length, pairs, -1.0, coefficients, pairs, false, right, n, false, 1.0, x, n);

    /// <summary>y = a x for the leading triangle: parts of equal area, whose number depends on the size alone, summed in order.</summary>
    private void Multiply(long size, double* x, double* y)
    {
        long parts = Math.Clamp(size / 128, 1, MaxParts);
        team.For(parts, part => MultiplyRows(PartRow(size, part, parts), PartRow(size, part + 1, parts), x, y, partial + part * n));
        for (long part = 0; part < parts; part++)
        {
            LinalgVectors.AddScaled(PartRow(size, part + 1, parts), 1, partial + part * n, y);
        }
    }

    private static long PartRow(long size, long part, long parts) => part == parts ? size : (long)(size * Math.Sqrt((double)part / parts)) & ~3;

    /// <summary>Four rows at a time: every element below the diagonal is read once and used for its row and for its column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyRows(long from, long to, double* x, double* y, double* columns)
    {
        LinalgVectors.Clear(to, columns);
        long i = from;
        for (; i <= to - 4; i += 4)
        {
            double* a0 = a + i * lda;
            double* a1 = a0 + lda;
            double* a2 = a1 + lda;
            double* a3 = a2 + lda;
            Vector512<double> x0 = Vector512.Create(x[i]), x1 = Vector512.Create(x[i + 1]), x2 = Vector512.Create(x[i + 2]), x3 = Vector512.Create(x[i + 3]);
            Vector512<double> s0 = default, s1 = default, s2 = default, s3 = default;
            long j = 0;
            for (; j <= i - 8; j += 8)
            {
                Vector512<double> xj = Vector512.Load(x + j), column = Vector512.Load(columns + j);
                Vector512<double> u = Vector512.Load(a0 + j);
                s0 = Vector512.MultiplyAddEstimate(u, xj, s0);
                column = Vector512.MultiplyAddEstimate(u, x0, column);
                u = Vector512.Load(a1 + j);
                s1 = Vector512.MultiplyAddEstimate(u, xj, s1);
                column = Vector512.MultiplyAddEstimate(u, x1, column);
                u = Vector512.Load(a2 + j);
                s2 = Vector512.MultiplyAddEstimate(u, xj, s2);
                column = Vector512.MultiplyAddEstimate(u, x2, column);
                u = Vector512.Load(a3 + j);
                s3 = Vector512.MultiplyAddEstimate(u, xj, s3);
                column = Vector512.MultiplyAddEstimate(u, x3, column);
                column.Store(columns + j);
            }

            y[i] = Vector512.Sum(s0) + RestOfRow(a0, i, j, x, columns);
            y[i + 1] = Vector512.Sum(s1) + RestOfRow(a1, i + 1, j, x, columns);
            y[i + 2] = Vector512.Sum(s2) + RestOfRow(a2, i + 2, j, x, columns);
            y[i + 3] = Vector512.Sum(s3) + RestOfRow(a3, i + 3, j, x, columns);
        }

        for (; i < to; i++)
        {
            y[i] = RestOfRow(a + i * lda, i, 0, x, columns);
        }
    }

    /// <summary>Elements j .. i of row i.</summary>
    private static double RestOfRow(double* row, long i, long j, double* x, double* columns)
    {
        double sum = row[i] * x[i];
        for (; j < i; j++)
        {
            sum += row[j] * x[j];
            columns[j] += row[j] * x[i];
        }

        return sum;
    }
}
