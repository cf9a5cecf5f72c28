namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Householder reflectors H = I - tau v v^T, stored as rows, and products of several of them in the compact form
/// H_0 H_1 .. = I - V^T T V with T upper triangular (Schreiber and Van Loan; LAPACK's dlarfg, dlarft and dlarfb).
/// </summary>
internal static unsafe class LinalgHouseholder
{
    /// <summary>Squares below this are lost; a row that small against a matrix scaled to 1 is zero.</summary>
    private const double Negligible = 1e-290;

    /// <summary>
    /// The reflector that maps (alpha, x) to (beta, 0) with beta = -sign(alpha) norm: x becomes v without its leading 1,
    /// alpha becomes beta, and tau is returned: 0 when x is zero already.
    /// </summary>
    public static double Reflect(long n, ref double alpha, double* x)
    {
        double squares = LinalgVectors.Dot(n, x, x);
        if (squares < Negligible)
        {
            LinalgVectors.Clear(n, x);
            return 0;
        }

        double beta = -Math.CopySign(Math.Sqrt(alpha * alpha + squares), alpha);
        double tau = (beta - alpha) / beta;
        LinalgVectors.Scale(n, 1 / (alpha - beta), x);
        alpha = beta;
        return tau;
    }

    /// <summary>T (count,count) of the reflectors in the rows of v (count,width), zeros and ones in place.</summary>
    public static void Triangle(int count, long width, double* v, long ldv, double* tau, double* t)
    {
        GemmKernels.Run(count, count, width, 1.0, v, ldv, false, v, ldv, true, 0.0, t, count);
        double* column = stackalloc double[count];
        for (int i = 0; i < count; i++)
        {
            for (int r = 0; r < i; r++)
            {
                double sum = 0;
                for (int s = r; s < i; s++)
                {
                    sum += t[r * count + s] * t[s * count + i];
                }

                column[r] = -tau[i] * sum;
            }

            for (int r = 0; r < count; r++)
            {
                t[r * count + i] = r < i ? column[r] : r == i ? tau[i] : t[r * count + i];
            }
        }

        for (int r = 1; r < count; r++)
        {
            LinalgVectors.Clear(r, t + r * count);
        }
    }

    /// <summary>z = z (I - V^T T V) for z (rows,width); work holds 2 rows count elements.</summary>
    public static void Apply(long rows, long width, double* z, long ldz, int count, double* v, long ldv, double* t, double* work)
    {
        double* product = work + rows * count;
        GemmKernels.Run(rows, count, width, 1.0, z, ldz, false, v, ldv, true, 0.0, work, count);
        GemmKernels.Run(rows, count, count, 1.0, work, count, false, t, count, false, 0.0, product, count);
        GemmKernels.Run(rows, width, count, -1.0, product, count, false, v, ldv, false, 1.0, z, ldz);
    }
}
