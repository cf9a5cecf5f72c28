using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>What a <see cref="SpectralProjector"/> found.</summary>
/// <param name="Rows">an orthonormal basis of the subspace (k,D); null where there is none to be had</param>
/// <param name="EnergyGap">of the energy that k dimensions can hold, the share that these do not, up to 1e-7; an upper bound of it</param>
/// <param name="Solves">Cholesky solutions of (D,D) that it took</param>
/// <param name="Problem">why there is no basis</param>
internal sealed record Projection(Tensor? Rows, double EnergyGap, int Solves, string? Problem = null);

/// <summary>
/// The subspace of the k largest eigenvalues of a symmetric positive semidefinite H, without their eigenvectors: products and Cholesky solutions alone,
/// where a reduction to tridiagonal form keeps a GPU waiting. F64.
/// <code>
///  X = (H + mu)^-1 (H - mu)       Cayley: the spectrum in [-1, 1) whatever its scale, mu at 0
///  c                              the cut: k eigenvalues of X are above it, as <see cref="SpectralDensity"/> estimates; mu moves until c is near 0
///  S = sign(X - c)                QDWH (Nakatsukasa, Bai and Gygi 2010), of eigenvalues farther than l from the cut
///  W                              eigenvectors of the few others, by Rayleigh-Ritz in the range of 1 - S^2
///  P = (1 + S) / 2 without W      its trace r is an exact count: k - r vectors of W are missing
///  Q R = [P Omega, W_top]         Q is the basis
/// </code>
/// Because of W, l is the width of a few dozen eigenvalues and not the gap at the cut: clusters cost nothing, k is met exactly, and l = 1e-2 takes QDWH
/// 3 iterations of 4.3 n^3 operations. Newton-Schulz, products alone, takes 10 of 4 n^3; without the Cayley transform, l shrinks with lambda_1, by a
/// million where a model has massive activations; QDWH by QR costs 3 times as much. By Cholesky its condition is 1 + 4 / l^(4/3): harmless here.
/// Where k reaches into eigenvalues that are 0 but for rounding, any vectors do. What comes out is checked: for every c, k c + tr (H - c)+ bounds the
/// energy of k dimensions.
/// </summary>
/// <param name="backend">the device</param>
/// <param name="seed">of the random vectors</param>
internal sealed class SpectralProjector(IBackend backend, ulong seed)
{
    private const int MostCentres = 6, MostCuts = 4, MostNarrowings = 3;
    private const double Centred = 0.7;      // |c| for which another mu gains nothing
    private const double Negligible = 1e-7;  // of the mean eigenvalue: all below hold 1e-7 of the energy
    private const double WindowFill = 0.75;  // of the window, which l is chosen for
    private const double Narrowing = 0.1;    // l for another pass over a window that is too full
    private const double Converged = 1e-10;  // distance of an eigenvalue of S from 1 or -1
    private const double LargestGap = 1e-5;  // of the energy

    private readonly SpectralMatrices matrices = new(backend, seed);
    private double level = 1; // of the cut, in mean eigenvalues; that of the next H is similar
    private int solves;

    /// <summary>The <paramref name="k"/>-dimensional subspace of <paramref name="h"/> (D,D), from 1 to D dimensions.</summary>
    public Projection Top(Tensor h, long k)
    {
        solves = 0;
        double mean = matrices.Trace(h) / h.Rows;
        if (k == h.Rows || mean <= 0)
        {
            using Tensor any = matrices.Draw(h.Shape);
            return new Projection(matrices.Orthonormal(any, k), 0, solves);
        }

        try
        {
            return Find(h, k, mean);
        }
        catch (EngineException e) when (e.Exit == ExitCode.Numerical)
        {
            return new Projection(null, 1, solves, e.Message);
        }
    }

    private Projection Find(Tensor h, long k, double mean)
    {
        long window = Math.Min(h.Rows, 32 + h.Rows / 32);
        using Tensor x = backend.Alloc(DType.F64, h.Shape);
        (SpectralDensity density, double mu) = Centre(h, x, k, mean);
        double floor = (Negligible * mean - mu) / (Negligible * mean + mu), cut = Math.Max(floor, density.Quantile(k));
        for (int attempt = 0; attempt < MostCuts; attempt++)
        {
            double reach = window * WindowFill / 2, l = (density.Quantile(k - reach) - density.Quantile(k + reach)) / 2;
            using SpectralSplit? split = Split(h, x, cut, Math.Clamp(l, 1e-6, 0.3), window);
            if (split is null)
            {
                return new Projection(null, 1, solves, $"more than {window} eigenvalues lie together at the cut");
            }

            // What the window lacks is filled up, where all that is below it holds next to nothing.
            long missing = k - split.Above;
            double last = split.Inside == 0 ? mu * (1 + cut) / (1 - cut) : split.Values[Math.Clamp(split.Inside - missing, 0, split.Inside - 1)];
            if (missing >= 0 && (missing - split.Inside) * last <= LargestGap * mean * h.Rows)
            {
                return Checked(h, split, Basis(split, k), last);
            }

            // The estimate is off by what was counted: it serves again with that in mind.
            cut = Math.Max(floor, density.Quantile(k + density.Above(cut) - (split.Above + split.Inside / 2.0)));
        }

        return new Projection(null, 1, solves, $"no cut separates {k} eigenvalues after {MostCuts} attempts");
    }

    /// <summary>x = the Cayley transform about the eigenvalue that is likely to be at the cut, which is also returned.</summary>
    private (SpectralDensity Density, double Mu) Centre(Tensor h, Tensor x, long k, double mean)
    {
        for (int i = 1; ; i++)
        {
            double mu = level * mean, before = level;
            using (Tensor shifted = matrices.Copy(h))
            {
                matrices.AddToDiagonal(shifted, mu);
                backend.Zero(x);
                matrices.AddToDiagonal(x, -2 * mu);
                Solve(x, shifted);
                matrices.AddToDiagonal(x, 1); // 1 - 2 mu (H + mu)^-1
            }

            SpectralDensity density = SpectralDensity.Of(backend, x, matrices.Draw);
            double cut = density.Quantile(k);
            level = Math.Clamp(level * (1 + cut) / (1 - cut), Negligible, h.Rows / (double)k); // k eigenvalues hold no more than all energy
            if (Math.Abs(cut) <= Centred || level == before || i == MostCentres)
            {
                return (density, mu);
            }
        }
    }

    /// <summary>Splits at <paramref name="cut"/> of x, with eigenvalues of x closer than about <paramref name="l"/> in the window; null where they are too many.</summary>
    private SpectralSplit? Split(Tensor h, Tensor x, double cut, double l, long window)
    {
        Tensor s = matrices.Copy(x);
        matrices.AddToDiagonal(s, -cut);
        double scale = 1 / (1 + Math.Abs(cut));
        l *= scale;
        for (int narrowing = 0; narrowing <= MostNarrowings; narrowing++)
        {
            (s, scale) = Sign(s, scale, l);
            if (SpectralSplit.Of(backend, matrices, h, s, scale, window) is { } split)
            {
                return split;
            }

            l = Narrowing;
        }

        s.Dispose();
        return null;
    }

    /// <summary>
    /// QDWH with dynamical weights: S &lt;- S (a + b S^2) (1 + c S^2)^-1 until eigenvalues of at least <paramref name="l"/> are 1. S is scale times
    /// a tensor s, so that an iteration is a product, a solution and a sum: S &lt;- scale b / c (s + s ((1 + c S^2) / (a c / b - 1))^-1).
    /// </summary>
    private (Tensor S, double Scale) Sign(Tensor s, double scale, double l)
    {
        using Tensor square = backend.Alloc(DType.F64, s.Shape);
        while (1 - l > Converged)
        {
            double d = Math.Cbrt(4 * (1 - l * l) / Math.Pow(l, 4)), root = Math.Sqrt(1 + d);
            double a = root + Math.Sqrt(8 - 4 * d + 8 * (2 - l * l) / (l * l * root)) / 2, b = (a - 1) * (a - 1) / 4, c = a + b - 1;
            double weight = a * c / b - 1;
            backend.Gemm(square, s, s, alpha: c * scale * scale / weight);
            matrices.AddToDiagonal(square, 1 / weight);
            Tensor next = matrices.Copy(s);
            Solve(next, square);
            backend.Add(next, s);
            s.Dispose();
            (s, scale) = (next, scale * b / c);
            l *= (a + b * l * l) / (1 + c * l * l);
        }

        return (s, scale);
    }

    /// <summary>An orthonormal basis (k,D): all above the window, the top of the window, and of what is below it whatever comes.</summary>
    private Tensor Basis(SpectralSplit split, long k)
    {
        (Tensor s, double scale, long above) = (split.S, split.Scale, split.Above);
        long top = Math.Min(k - above, split.Inside), outside = k - top;
        using Tensor omega = matrices.Draw(new Shape(s.Rows, outside)), image = backend.Alloc(DType.F64, omega.Shape), columns = backend.Alloc(DType.F64, s.Shape);
        backend.Zero(columns);
        Tensor projected = columns.ColumnRange(0, outside);
        backend.Copy(projected, omega);

        // A step of Newton and Schulz on the way, S (3 - S^2) / 2, squares what S is away from 1 and -1 outside the window.
        backend.Gemm(image, s, omega, alpha: scale);
        backend.Gemm(omega, s, image, alpha: -scale / 2, beta: 1.5);
        AddImage(0, above, scale);
        AddImage(above, outside - above, -scale);
        if (split.Window is { } window)
        {
            using Tensor inside = backend.Alloc(DType.F64, new Shape(window.Rows, outside));
            backend.Gemm(inside, window, projected);
            backend.Gemm(projected, window, inside, transposeA: true, alpha: -1, beta: 1);
            backend.Transpose(columns.ColumnRange(outside, top), window.RowRange(window.Rows - top, top));
        }

        return matrices.Orthonormal(columns, k);

        void AddImage(long from, long count, double sign) =>
            backend.Gemm(projected.ColumnRange(from, count), s, omega.ColumnRange(from, count), alpha: sign, beta: 1);
    }

    /// <summary>The result, unless <paramref name="rows"/> hold too little of k c + tr (H - c)+, which bounds what any k dimensions hold, best for a c at the cut.</summary>
    private Projection Checked(Tensor h, SpectralSplit split, Tensor rows, double c)
    {
        double distances = split.Scale * (matrices.RowProducts(split.S, h).Sum() - c * matrices.Trace(split.S)) // tr |H - c|, but for the window
            + split.Values.Zip(split.Signs, (value, sign) => Math.Abs(value - c) - sign * (value - c)).Sum();
        double bound = c * rows.Rows + (matrices.Trace(h) - c * h.Rows + distances) / 2;
        using Tensor product = backend.Alloc(DType.F64, rows.Shape);
        backend.Gemm(product, rows, h);
        double gap = Math.Max(0, 1 - matrices.RowProducts(product, rows).Sum() / bound);
        if (gap <= LargestGap)
        {
            return new Projection(rows, gap, solves);
        }

        rows.Dispose();
        return new Projection(null, gap, solves, $"up to {gap:0.0e0} of the energy would be lost");
    }

    private void Solve(Tensor b, Tensor a)
    {
        backend.CholeskySolve(b, a);
        solves++;
    }
}
