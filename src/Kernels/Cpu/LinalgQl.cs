namespace NativeEngine.Kernels.Cpu;

/// <summary>Implicit QL with Wilkinson's shift for small tridiagonal matrices (EISPACK's tql2, LAPACK's dsteqr).</summary>
internal static unsafe class LinalgQl
{
    private const int MaxSweeps = 60;
    private const double Epsilon = 1.1102230246251565e-16;

    /// <summary>d, e become the eigenvalues, unordered; row i of z (n,n), which starts as identity, eigenvector i. e holds n elements, the last unused.</summary>
    public static void Run(long n, double* d, double* e, double* z, long ldz)
    {
        for (long l = 0; l < n; l++)
        {
            for (int sweep = 0; ; sweep++)
            {
                long m = l;
                while (m < n - 1 && Math.Abs(e[m]) > Epsilon * (Math.Abs(d[m]) + Math.Abs(d[m + 1])))
                {
                    m++;
                }

                if (m == l)
                {
                    break;
                }

                if (sweep == MaxSweeps)
                {
                    throw new EngineException("NE10102", $"SymEig: no convergence after {MaxSweeps} sweeps")
                    {
                        Hint = "more calibration text gives a better conditioned matrix",
                    };
                }

                Sweep(n, l, m, d, e, z, ldz);
            }
        }
    }

    private static void Sweep(long n, long l, long m, double* d, double* e, double* z, long ldz)
    {
        double g = (d[l + 1] - d[l]) / (2 * e[l]);
        g = d[m] - d[l] + e[l] / (g + Math.CopySign(double.Hypot(g, 1), g));
        double s = 1, c = 1, p = 0;
        for (long i = m - 1; i >= l; i--)
        {
            double f = s * e[i], b = c * e[i];
            double r = double.Hypot(f, g);
            e[i + 1] = r;
            if (r == 0)
            {
                // The rotation would be the identity: the problem has split.
                d[i + 1] -= p;
                e[m] = 0;
                return;
            }

            s = f / r;
            c = g / r;
            g = d[i + 1] - p;
            r = (d[i] - g) * s + 2 * c * b;
            p = s * r;
            d[i + 1] = g + p;
            g = c * r - b;
            LinalgVectors.Rotate(n, z + (i + 1) * ldz, z + i * ldz, c, s);
        }

        d[l] -= p;
        e[l] = g;
        e[m] = 0;
    }
}
