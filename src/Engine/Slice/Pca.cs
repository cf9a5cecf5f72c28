using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>
/// Principal components of a signal (Ashkboos et al. 2024, equation 8). H = sum x^T x over the calibration tokens, not centred,
/// plus 0.01 mean(diag H) on the diagonal, which moves the eigenvalues and not the eigenvectors. All in F64: an F32 eigensolver
/// loses the small components next to the massive ones.
/// </summary>
internal sealed class Pca : IDisposable
{
    private const double Damping = 0.01;
    private readonly IBackend backend;
    private readonly Tensor h;

    /// <summary>For signals of <paramref name="width"/> columns.</summary>
    public Pca(IBackend backend, long width)
    {
        this.backend = backend;
        h = backend.Alloc(DType.F64, new Shape(width, width));
        backend.Zero(h);
    }

    /// <summary>H += x^T x. (N,D)</summary>
    public void Add(Tensor x) => backend.Gram(h, x);

    /// <summary>The subspace of the first <paramref name="k"/> components, which damping does not change either.</summary>
    public Projection Subspace(SpectralProjector projector, long k)
    {
        CheckFinite();
        return projector.Top(h, k);
    }

    /// <summary>The eigenvectors of H as ROWS, largest eigenvalue first, and the eigenvalues. (D,D)</summary>
    public (Tensor Rows, double[] Eigenvalues) Solve()
    {
        long d = h.Rows;
        double[] diagonal = backend.Download<double>(h.Diagonal());
        double trace = 0;
        foreach (double v in diagonal)
        {
            trace += v;
        }

        backend.Upload<double>(h.Diagonal(), Array.ConvertAll(diagonal, v => v + Damping * trace / d));
        CheckFinite();
        using Tensor values = backend.Alloc(DType.F64, new Shape(d)), ascending = backend.Alloc(DType.F64, new Shape(d, d));
        backend.SymEig(values, ascending, h);
        using Tensor reversed = backend.Upload<int>(new Shape(d), [.. Enumerable.Range(0, (int)d).Reverse()]);
        using Owned made = new();
        Tensor rows = made.Add(backend.Alloc(DType.F64, new Shape(d, d)));
        backend.Embed(rows, ascending, reversed); // a gather of rows
        double[] eigenvalues = backend.Download<double>(values);
        Array.Reverse(eigenvalues);
        return (made.HandOver(rows), eigenvalues);
    }

    /// <inheritdoc/>
    public void Dispose() => h.Dispose();

    private void CheckFinite()
    {
        if (!backend.AllFinite(h))
        {
            throw new EngineException("NE10003", "the covariance of the calibration signal is not finite")
            {
                Hint = "check the checkpoint and the calibration text; very large activations overflow fp32",
            };
        }
    }
}
