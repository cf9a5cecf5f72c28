using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>What a <see cref="SpectralProjector"/> found.</summary>
/// <param name="Rows">an orthonormal basis of the subspace (k,D); null where there is none to be had</param>
/// <param name="EnergyGap">how much of the largest energy that k dimensions can hold is lost at most, relative</param>
/// <param name="Solves">Cholesky solutions of (D,D) that it took</param>
/// <param name="Problem">why there is no basis</param>
internal sealed record Projection(Tensor? Rows, double EnergyGap, int Solves, string? Problem = null);

/// <summary>
/// The subspace of the k largest eigenvalues of a symmetric positive semidefinite H, without its eigenvectors: products and Cholesky solutions only,
/// because a tridiagonal reduction keeps a GPU waiting. F64.
/// <code>
///  X = (H + mu)^-1 (H - mu)       Cayley: the spectrum in [-1, 1) whatever its scale, mu at 0
///  c                              the cut: k eigenvalues of X above it, as <see cref="SpectralDensity"/> estimates; mu moves until c is near 0
///  S = sign(X - c)                QDWH (Nakatsukasa, Bai, Gygi 2010), of eigenvalues farther than l from the cut
///  W                              the few others: the range of 1 - S^2, and their Ritz values of H
///  P = (1 + S) / 2 outside W      its trace is an exact count r, so k - r vectors of W are missing
///  Q R = [P Omega, W_top]
/// </code>
/// W makes l the width of a few dozen eigenvalues instead of the gap at the cut: clusters cost nothing, and k is met exactly. From l = 1e-2, QDWH
/// takes 4 iterations of 4.3 n^3 operations; Newton-Schulz, which is products alone, 10 of 4 n^3, and without the Cayley transform l shrinks with
/// lambda_1, by a million where a model has massive activations. QDWH by QR, which needs no inverse, costs 3 times as much an iteration; that by
/// Cholesky has condition 1 + 4 / l^1.3, harmless here. Where eigenvalues are 0 up to rounding and k reaches into them, any vectors will do.
/// The result is checked: k c + tr (H - c)+ bounds the energy of every k-dimensional subspace.
/// </summary>
/// <param name="backend">the device</param>
/// <param name="seed">of the random vectors</param>
internal sealed class SpectralProjector(IBackend backend, ulong seed)
{
    private const int MostCentres = 6, MostCuts = 4, MostNarrowings = 3;
    private const double Centred = 0.7;      // |c| for which another mu gains nothing
    private const double Negligible = 1e-7;  // of the mean eigenvalue: all below hold 1e-7 of the energy
    private const double Converged = 1e-10;  // distance of an eigenvalue of S from 1 or -1
    private const double Noise = 1e-7;       // length of a random vector of which 1 - S^2 left nothing
    private const double Significant = 1e-4; // 1 - s^2 of an eigenvector in the window; what is less is 1 or -1
    private const double Mixed = 0.02;       // |S v - s v|^2 / (1 - s^2): 0 of an eigenvector, 1 of a mixture
    private const double Narrowing = 0.1;    // l for another pass over a window that is too full
    private const double WindowFill = 0.75;  // of W, which l is chosen for
    private const double LargestGap = 1e-5;  // of the energy

    private ulong drawn = seed << 32;
    private double level = 1; // of the cut, in mean eigenvalues; the next H is similar
    private int solves;

    /// <summary>The <paramref name="k"/>-dimensional subspace of <paramref name="h"/> (D,D), from 1 to D dimensions.</summary>
    public Projection Top(Tensor h, long k)
    {
        solves = 0;
        double mean = Trace(h) / h.Rows;
        if (k == h.Rows || mean <= 0)
        {
            using Tensor any = Draw(h.Shape);
            return new Projection(Orthonormal(any, k), 0, solves);
        }

        try
        {
            return Find(h, k, mean);
        }
        catch (EngineException e) when (e.Code == "NE10104")
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

            long missing = k - split.Above;
            double last = split.Inside == 0 ? mu * (1 + cut) / (1 - cut) : split.Values[Math.Clamp(split.Inside - missing, 0, split.Inside - 1)];
            if (missing >= 0 && (missing - split.Inside) * last <= LargestGap * mean * h.Rows)
            {
                Console.WriteLine($"  missing {missing} l {l}");
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
            double mu = level * mean;
            using (Tensor shifted = Copy(h))
            {
                AddToDiagonal(shifted, mu);
                backend.Zero(x);
                AddToDiagonal(x, -2 * mu);
                Solve(x, shifted);
                AddToDiagonal(x, 1); // 1 - 2 mu (H + mu)^-1
            }

            SpectralDensity density = SpectralDensity.Of(backend, x, Draw);
            double cut = density.Quantile(k), before = level;
            level = Math.Max(Negligible, level * (1 + cut) / (1 - cut));
            if (Math.Abs(cut) <= Centred || level == before || i == MostCentres)
            {
                return (density, mu);
            }
        }
    }

    /// <summary>Splits at <paramref name="cut"/> of x, with eigenvalues of x closer than about <paramref name="l"/> in the window; null where they are too many.</summary>
    private SpectralSplit? Split(Tensor h, Tensor x, double cut, double l, long window)
    {
        Tensor s = Copy(x);
        AddToDiagonal(s, -cut);
        double spread = 1 + Math.Abs(cut), scale = 1 / spread;
        l /= spread;
        for (int narrowing = 0; narrowing <= MostNarrowings; narrowing++)
        {
            (s, scale) = Sign(s, scale, l);
            if (Window(h, s, scale, window) is { } split)
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
            AddToDiagonal(square, 1 / weight);
            Tensor next = Copy(s);
            Solve(next, square);
            backend.Add(next, s);
            s.Dispose();
            (s, scale) = (next, scale * b / c);
            l *= (a + b * l * l) / (1 + c * l * l);
        }

        return (s, scale);
    }

    /// <summary>Counts what is above the cut, with what is neither 1 nor -1 in a window of its own; null where that is more than <paramref name="size"/>.</summary>
    private SpectralSplit? Window(Tensor h, Tensor s, double scale, long size)
    {
        // 1 - S^2 leaves nothing else of random vectors. How many that are, their Gram matrix says.
        using Tensor z = Draw(new Shape(size, s.Rows)), image = backend.Alloc(DType.F64, z.Shape), gram = backend.Alloc(DType.F64, new Shape(size, size));
        using Tensor values = backend.Alloc(DType.F64, new Shape(size));
        backend.Gemm(image, z, s);
        backend.Gemm(z, image, s, alpha: -scale * scale, beta: 1);
        backend.Gemm(gram, z, z, transposeB: true);
        backend.SymEig(values, gram, gram);
        double[] lengths = Array.ConvertAll(backend.Download<double>(values), v => Math.Sqrt(Math.Max(v, 0)));
        int count = lengths.Count(v => v > Noise * Math.Max(1, lengths[^1])), first = (int)size - count;
        if (count == size && size < s.Rows)
        {
            return null;
        }

        if (count == 0)
        {
            return Count(h, s, scale, null, []);
        }

        double[] normalised = [.. backend.Download<double>(gram).Skip(first * (int)size).Select((v, i) => v / lengths[first + i / size])];
        using Tensor combination = backend.Upload<double>(new Shape(count, size), normalised), w = backend.Alloc(DType.F64, new Shape(count, s.Rows));
        backend.Gemm(w, combination, z);
        for (int pass = 0; pass < 2; pass++)
        {
            using Tensor near = backend.Alloc(DType.F64, new Shape(count, count)), better = backend.Alloc(DType.F64, w.Shape);
            backend.Gemm(near, w, w, transposeB: true);
            backend.Copy(better, w);
            backend.Gemm(better, near, w, alpha: -0.5, beta: 1.5);
            backend.Copy(w, better);
        }

        // Rayleigh-Ritz. The last of w can be of two minds; what is no eigenvector stays outside, where it counts as 1 or -1.
        using Tensor small = backend.Alloc(DType.F64, new Shape(count, count)), ritz = backend.Alloc(DType.F64, new Shape(count));
        Tensor imageOfW = image.RowRange(0, count), vectors = backend.Alloc(DType.F64, w.Shape);
        backend.Gemm(imageOfW, w, s, alpha: scale);
        backend.Gemm(small, imageOfW, w, transposeB: true);
        backend.SymEig(ritz, small, small);
        backend.Gemm(vectors, small, w);
        backend.Gemm(w, small, imageOfW);
        double[] signs = backend.Download<double>(ritz), squares = RowProducts(w, w);
        int[] kept = [.. Enumerable.Range(0, count).Where(i => 1 - signs[i] * signs[i] is var open && open > Significant && squares[i] - signs[i] * signs[i] < Mixed * open)];
        using Tensor rows = backend.Upload<int>(new Shape(kept.Length), kept);
        backend.KeepRows(vectors, rows);
        return Count(h, s, scale, vectors, [.. kept.Select(i => signs[i])]);
    }

    private SpectralSplit Count(Tensor h, Tensor s, double scale, Tensor? vectors, double[] signs)
    {
        Console.WriteLine($"   above {(scale * Trace(s) - signs.Sum() + s.Rows - signs.Length) / 2} inside {signs.Length} of {vectors?.Rows} [{string.Join(" ", signs.Select(v => v.ToString("g4")))}]");
        double above = (scale * Trace(s) - signs.Sum() + s.Rows - signs.Length) / 2;
        if (vectors is null || signs.Length == 0)
        {
            vectors?.Dispose();
            return new SpectralSplit(s, scale, null, [], [], (long)Math.Round(above));
        }

        Tensor window = vectors.RowRange(0, signs.Length);
        using Tensor image = backend.Alloc(DType.F64, window.Shape);
        backend.Gemm(image, window, h);
        return new SpectralSplit(s, scale, vectors, RowProducts(image, window), signs, (long)Math.Round(above));
    }

    /// <summary>An orthonormal basis (k,D): all above the window, the top of the window, and of what is below it whatever comes.</summary>
    private Tensor Basis(SpectralSplit split, long k)
    {
        (Tensor s, long n, long above) = (split.S, split.S.Rows, split.Above);
        long top = Math.Min(k - above, split.Inside), outside = k - top;
        using Tensor omega = Draw(new Shape(n, outside)), columns = backend.Alloc(DType.F64, s.Shape);
        backend.Zero(columns);
        Tensor projected = columns.ColumnRange(0, outside);
        backend.Copy(projected, omega);
        using (Tensor image = backend.Alloc(DType.F64, omega.Shape)) // omega <- (3 - S^2) omega / 2, a step of Newton and Schulz for what is nearly 1
        {
            backend.Gemm(image, s, omega, alpha: split.Scale);
            backend.Gemm(omega, s, image, alpha: -split.Scale / 2, beta: 1.5);
        }

        Project(0, above, split.Scale);
        Project(above, outside - above, -split.Scale);
        if (split.Window?.RowRange(0, split.Inside) is { } window)
        {
            using Tensor inside = backend.Alloc(DType.F64, new Shape(window.Rows, outside));
            backend.Gemm(inside, window, projected);
            backend.Gemm(projected, window, inside, transposeA: true, alpha: -1, beta: 1);
            backend.Transpose(columns.ColumnRange(outside, top), window.RowRange(window.Rows - top, top));
        }

        return Orthonormal(columns, k);

        void Project(long from, long count, double sign) =>
            backend.Gemm(projected.ColumnRange(from, count), s, omega.ColumnRange(from, count), alpha: sign, beta: 1);
    }

    /// <summary>The first k columns of <paramref name="columns"/> (D,D), made orthonormal, as rows (k,D).</summary>
    private Tensor Orthonormal(Tensor columns, long k)
    {
        using Tensor q = backend.Alloc(DType.F64, columns.Shape);
        backend.Qr(q, columns);
        Tensor rows = backend.Alloc(DType.F64, new Shape(k, columns.Rows));
        backend.Transpose(rows, q.ColumnRange(0, k));
        return rows;
    }

    /// <summary>The result, unless <paramref name="rows"/> hold too little of k c + tr (H - c)+, c at the cut, which bounds what any k dimensions hold.</summary>
    private Projection Checked(Tensor h, SpectralSplit split, Tensor rows, double c)
    {
        double distances = split.Scale * (RowProducts(split.S, h).Sum() - c * Trace(split.S)) // tr |H - c|, but for the window
            + split.Values.Zip(split.Signs, (value, sign) => Math.Abs(value - c) - sign * (value - c)).Sum();
        double bound = c * rows.Rows + (Trace(h) - c * h.Rows + distances) / 2;
        using Tensor product = backend.Alloc(DType.F64, rows.Shape);
        backend.Gemm(product, rows, h);
        double gap = 1 - RowProducts(product, rows).Sum() / bound;
        if (gap <= LargestGap)
        {
            return new Projection(rows, gap, solves);
        }

        rows.Dispose();
        return new Projection(null, gap, solves, $"up to {gap:0.0e0} of the energy are lost");
    }

    private void Solve(Tensor b, Tensor a)
    {
        backend.CholeskySolve(b, a);
        solves++;
    }

    /// <summary>The scalar product of every two rows.</summary>
    private double[] RowProducts(Tensor a, Tensor b)
    {
        using Tensor products = backend.Alloc(DType.F64, new Shape(a.Rows, 1, 1));
        var rows = new Shape(a.Rows, 1, a.Columns);
        backend.Gemm(products, a.Reshape(rows), b.Reshape(rows), transposeB: true);
        return backend.Download<double>(products);
    }

    private double Trace(Tensor square) => backend.Download<double>(square.Diagonal()).Sum();

    private void AddToDiagonal(Tensor square, double value)
    {
        double[] values = [.. Enumerable.Repeat(value, (int)square.Rows)];
        using Tensor column = backend.Upload<double>(new Shape(square.Rows, 1), values);
        backend.Add(square.Diagonal(), column);
    }

    private Tensor Copy(Tensor square)
    {
        Tensor copy = backend.Alloc(DType.F64, square.Shape);
        backend.Copy(copy, square);
        return copy;
    }

    /// <summary>Numbers between -1 and 1, others every time.</summary>
    private Tensor Draw(Shape shape)
    {
        Tensor numbers = backend.Alloc(DType.F64, shape);
        backend.Uniform(numbers, 1, drawn);
        drawn += (ulong)shape.Count;
        return numbers;
    }
}
