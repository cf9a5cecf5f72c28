using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>The spectrum of H in three parts: above a cut, below it, and a window of the few eigenvalues around it.</summary>
/// <param name="S">with <paramref name="Scale"/>: the matrix with the eigenvectors of H whose eigenvalues are 1 above and -1 below (D,D)</param>
/// <param name="Scale">factor on S</param>
/// <param name="Vectors">starts with the eigenvectors in the window, as rows; null where there are none</param>
/// <param name="Values">eigenvalues of H in the window, ascending</param>
/// <param name="Signs">eigenvalues of S there, between -1 and 1</param>
/// <param name="Above">eigenvalues above the window: a count and no estimate</param>
internal sealed record SpectralSplit(Tensor S, double Scale, Tensor? Vectors, double[] Values, double[] Signs, long Above) : IDisposable
{
    private const double Noise = 1e-7;        // of the longest random vector that 1 - S^2 leaves; the root of what a Gram matrix can tell
    private const double Significant = 1e-4;  // 1 - s^2 of an eigenvector in the window; what has less counts as 1 or -1
    private const double Mixed = 0.02;        // |S v - s v|^2 / (1 - s^2): 0 of an eigenvector, 1 of a mixture of those outside
    private const double Uncounted = 0.01;    // distance of a count from a whole number

    /// <summary>Eigenvalues in the window.</summary>
    public int Inside => Values.Length;

    /// <summary>The eigenvectors in the window as rows, largest eigenvalue last; null where there are none. (W,D)</summary>
    public Tensor? Window => Vectors?.RowRange(0, Inside);

    /// <summary>Takes <paramref name="s"/> over, unless what is neither 1 nor -1 is more than <paramref name="size"/> or cannot be told from the rest: null.</summary>
    public static SpectralSplit? Of(IBackend backend, SpectralMatrices matrices, Tensor h, Tensor s, double scale, long size)
    {
        Tensor? vectors = null;
        double[] signs = [], values = [];
        using (Tensor z = matrices.Draw(new Shape(size, s.Rows)))
        {
            Tensor? w = Range(backend, s, scale, z);
            if (w is not null && w.Rows == size && size < s.Rows)
            {
                w.Dispose();
                return null;
            }

            if (w is not null)
            {
                (vectors, signs) = Ritz(backend, matrices, s, scale, w);
                w.Dispose();
            }
        }

        if (vectors is not null)
        {
            Tensor window = vectors.RowRange(0, signs.Length);
            using Tensor image = backend.Alloc(DType.F64, window.Shape);
            backend.Gemm(image, window, h);
            values = matrices.RowProducts(image, window);
        }

        double above = (scale * matrices.Trace(s) - signs.Sum() + s.Rows - signs.Length) / 2;
        if (Math.Abs(above - Math.Round(above)) < Uncounted)
        {
            return new SpectralSplit(s, scale, vectors, values, signs, (long)Math.Round(above));
        }

        vectors?.Dispose();
        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        S.Dispose();
        Vectors?.Dispose();
    }

    /// <summary>An orthonormal basis of the range of 1 - S^2, which leaves nothing else of the random vectors <paramref name="z"/>; null for none. (W,D)</summary>
    private static Tensor? Range(IBackend backend, Tensor s, double scale, Tensor z)
    {
        long size = z.Rows;
        using Tensor gram = backend.Alloc(DType.F64, new Shape(size, size)), squares = backend.Alloc(DType.F64, new Shape(size));
        using (Tensor image = backend.Alloc(DType.F64, z.Shape))
        {
            backend.Gemm(image, z, s);
            backend.Gemm(z, image, s, alpha: -scale * scale, beta: 1);
        }

        backend.Gemm(gram, z, z, transposeB: true);
        backend.SymEig(squares, gram, gram);
        double[] lengths = Array.ConvertAll(backend.Download<double>(squares), v => Math.Sqrt(Math.Max(v, 0)));
        int first = lengths.Count(v => v <= Noise * Math.Max(1, lengths[^1]));
        if (first == size)
        {
            return null;
        }

        double[] normalised = [.. backend.Download<double>(gram).Skip(first * (int)size).Select((v, i) => v / lengths[first + i / size])];
        using Tensor combination = backend.Upload<double>(new Shape(size - first, size), normalised);
        Tensor w = backend.Alloc(DType.F64, new Shape(size - first, s.Rows));
        backend.Gemm(w, combination, z);

        // The shortest have lost half of their digits; w <- (3 - w w^T) w / 2 makes them orthonormal again.
        using Tensor copy = backend.Alloc(DType.F64, w.Shape), near = backend.Alloc(DType.F64, new Shape(w.Rows, w.Rows));
        for (int pass = 0; pass < 2; pass++)
        {
            backend.Copy(copy, w);
            backend.Gemm(near, w, w, transposeB: true);
            backend.Gemm(w, near, copy, alpha: -0.5, beta: 1.5);
        }

        return w;
    }

    /// <summary>
    /// Rayleigh-Ritz: the eigenvectors of S in the rows of <paramref name="w"/>, which is destroyed, the largest last. They are those of H, in the same order.
    /// </summary>
    private static (Tensor? Vectors, double[] Signs) Ritz(IBackend backend, SpectralMatrices matrices, Tensor s, double scale, Tensor w)
    {
        var square = new Shape(w.Rows, w.Rows);
        using Tensor image = backend.Alloc(DType.F64, w.Shape), small = backend.Alloc(DType.F64, square), values = backend.Alloc(DType.F64, new Shape(w.Rows));
        backend.Gemm(image, w, s, alpha: scale);
        backend.Gemm(small, image, w, transposeB: true);
        backend.SymEig(values, small, small);
        Tensor vectors = backend.Alloc(DType.F64, w.Shape);
        backend.Gemm(vectors, small, w);
        backend.Gemm(w, small, image);
        double[] signs = backend.Download<double>(values), squares = matrices.RowProducts(w, w);
        int[] kept = [.. Enumerable.Range(0, signs.Length).Where(IsEigenvector)];
        if (kept.Length == 0)
        {
            vectors.Dispose();
            return (null, []);
        }

        using Tensor rows = backend.Upload<int>(new Shape(kept.Length), kept);
        backend.KeepRows(vectors, rows);
        return (vectors, [.. kept.Select(i => signs[i])]);

        bool IsEigenvector(int i)
        {
            double open = 1 - signs[i] * signs[i];
            return open > Significant && squares[i] - signs[i] * signs[i] < Mixed * open;
        }
    }
}
