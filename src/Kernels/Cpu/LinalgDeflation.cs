using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// The rank-one problem diag(d) + rho u u^T of one merge: entries that barely couple, and pairs of equal values, are set
/// aside (deflated); the rest is solved (LAPACK's dlaed2 and dlaed3).
/// </summary>
internal sealed unsafe class LinalgDeflation(long from, long size, long sizeLeft, double* d, double* u, double rho, double* z, long n)
{
    private const double Epsilon = 1.1102230246251565e-16;

    private readonly double[] poles = new double[size], weights = new double[size];
    private readonly long[] kept = new long[size], slot = new long[size];
    private readonly byte[] kind = new byte[size]; // 0: zero outside the left block, 1: mixed, 2: zero outside the right block

    /// <summary>Rows that are deflated.</summary>
    public List<long> Deflated { get; } = [];

    /// <summary>The other rows: those of the left block, mixed ones, those of the right block.</summary>
    public List<long> Grouped { get; } = [];

    /// <summary>Size of the remaining problem.</summary>
    public int Kept { get; private set; }

    /// <summary>Kept rows that are zero outside the left block.</summary>
    public int Left { get; private set; }

    /// <summary>Kept rows that touch both blocks.</summary>
    public int Mixed { get; private set; }

    /// <summary>Kept rows that are zero outside the right block.</summary>
    public int Right { get; private set; }

    /// <summary>Chooses what to keep; the arguments list the rows of the two blocks by ascending value.</summary>
    public void Run(ReadOnlySpan<long> left, ReadOnlySpan<long> right)
    {
        double largest = 0, largestU = 0;
        for (long i = 0; i < size; i++)
        {
            largest = Math.Max(largest, Math.Abs(d[from + i]));
            largestU = Math.Max(largestU, Math.Abs(u[i]));
            kind[i] = i < sizeLeft ? (byte)0 : (byte)2;
        }

        double tolerance = 8 * Epsilon * Math.Max(largest, largestU);
        if (rho * largestU <= tolerance)
        {
            return;
        }

        long pending = -1;
        for (int l = 0, r = 0; l + r < size;)
        {
            bool takeLeft = r == right.Length || (l < left.Length && d[left[l]] <= d[right[r]]);
            long row = (takeLeft ? left[l++] : right[r++]) - from;
            if (rho * Math.Abs(u[row]) <= tolerance)
            {
                Deflated.Add(from + row);
            }
            else if (pending < 0 || !Merges(pending, row, tolerance))
            {
                Keep(pending);
                pending = row;
            }
            else
            {
                Deflated.Add(from + pending);
                pending = row;
            }
        }

        Keep(pending);
        Group();
    }

    /// <summary>Solves what was kept: values (k) ascending, row i of s (k,k) eigenvector i in the basis <see cref="Grouped"/>.</summary>
    public void Solve(Team team, double* values, double* s)
    {
        long k = Kept;
        double[] squares = new double[k], refined = new double[k];
        for (long i = 0; i < k; i++)
        {
            squares[i] = weights[i] * weights[i];
        }

        fixed (double* p = poles, q = squares, w = refined)
        {
            double* pole = p, square = q, weight = w;
            team.ForRanges(k, 16, (first, end) =>
            {
                for (long i = first; i < end; i++)
                {
                    values[i] = LinalgSecular.Root(k, i, pole, square, rho, s + i * k);
                }
            });
            team.ForRanges(k, 64, (first, end) => RefineWeights(k, first, end, pole, s, weight));
            team.ForRanges(k, 16, (first, end) =>
            {
                double[] row = new double[k];
                fixed (double* v = row)
                {
                    for (long i = first; i < end; i++)
                    {
                        Vector(k, weight, s + i * k, v);
                    }
                }
            });
        }
    }

    /// <summary>Rotates two rows of almost equal value so that the first decouples; false when their values differ too much.</summary>
    private bool Merges(long first, long second, double tolerance)
    {
        double length = double.Hypot(u[first], u[second]);
        double c = u[second] / length, s = -u[first] / length;
        double gap = d[from + second] - d[from + first];
        if (Math.Abs(gap * c * s) > tolerance)
        {
            return false;
        }

        u[second] = length;
        u[first] = 0;
        if (kind[first] != kind[second])
        {
            kind[second] = 1;
        }

        LinalgVectors.Rotate(size, z + (from + first) * n + from, z + (from + second) * n + from, c, s);
        double low = d[from + first], high = d[from + second];
        d[from + first] = low * c * c + high * s * s;
        d[from + second] = low * s * s + high * c * c;
        return true;
    }

    private void Keep(long row)
    {
        if (row >= 0)
        {
            kept[Kept] = row;
            poles[Kept] = d[from + row];
            weights[Kept] = u[row];
            Kept++;
        }
    }

    private void Group()
    {
        Span<int> counts = [0, 0, 0];
        for (byte wanted = 0; wanted < 3; wanted++)
        {
            for (int i = 0; i < Kept; i++)
            {
                if (kind[kept[i]] == wanted)
                {
                    slot[i] = Grouped.Count;
                    Grouped.Add(from + kept[i]);
                    counts[wanted]++;
                }
            }
        }

        (Left, Mixed, Right) = (counts[0], counts[1], counts[2]);
    }

    /// <summary>
    /// The weights for which the computed roots are exact (Gu and Eisenstat), so that the vectors come out orthogonal:
    /// weight_j^2 = prod_i (root_i - d_j) / prod_{i != j} (d_i - d_j). s holds d_j - root_i.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void RefineWeights(long k, long first, long end, double* pole, double* s, double* weight)
    {
        for (long j = first; j < end; j++)
        {
            weight[j] = s[j * k + j];
        }

        for (long i = 0; i < k; i++)
        {
            double* row = s + i * k;
            Vector512<double> own = Vector512.Create(pole[i]);
            for (long j = first; j < end;)
            {
                if (j <= end - 8 && (i < j || i >= j + 8))
                {
                    (Vector512.Load(weight + j) * (Vector512.Load(row + j) / (Vector512.Load(pole + j) - own))).Store(weight + j);
                    j += 8;
                    continue;
                }

                long stop = Math.Min(j + 8, end);
                for (; j < stop; j++)
                {
                    weight[j] *= i == j ? 1 : row[j] / (pole[j] - pole[i]);
                }
            }
        }

        for (long j = first; j < end; j++)
        {
            weight[j] = Math.CopySign(Math.Sqrt(Math.Max(-weight[j], 0)), weights[j]);
        }
    }

    /// <summary>row_j = weight_j / row_j, normalised, in the order of <see cref="Grouped"/>.</summary>
    private void Vector(long k, double* weight, double* row, double* v)
    {
        for (long j = 0; j < k; j++)
        {
            v[j] = weight[j] / row[j];
        }

        double scale = 1 / Math.Sqrt(LinalgVectors.Dot(k, v, v));
        for (long j = 0; j < k; j++)
        {
            row[slot[j]] = v[j] * scale;
        }
    }
}
