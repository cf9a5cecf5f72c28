namespace NativeEngine.Kernels;

/// <summary>What products and factorisations demand of their arguments.</summary>
internal static partial class Check
{
    /// <summary>Arguments of <see cref="IBackend.Gemm"/>; returns the number of products and their extents.</summary>
    public static (long Batch, long M, long N, long K) Gemm(
        IBackend backend, Tensor c, Tensor a, Tensor b, bool transposeA, bool transposeB, Tensor? bias)
    {
        Alive(c, a, b, bias);
        int rank = c.Shape.Rank;
        if (rank is not (2 or 3) || a.Shape.Rank != rank || b.Shape.Rank != rank || !Multiplies(backend, c.DType, a.DType, b.DType))
        {
            throw new ArgumentException($"Gemm: {c} = {a} x {b}: {backend.Name} multiplies three matrices, or three batches of them, of one type (others: see IBackend)");
        }

        long batch = rank == 3 ? c.Shape[0] : 1;
        long m = c.Shape[rank - 2], n = c.Columns, k = transposeA ? a.Shape[rank - 2] : a.Columns;
        if (a.Shape[rank - 2] != (transposeA ? k : m) || a.Columns != (transposeA ? m : k)
            || b.Shape[rank - 2] != (transposeB ? n : k) || b.Columns != (transposeB ? k : n)
            || (rank == 3 && (a.Shape[0] != batch || b.Shape[0] != batch)))
        {
            throw new ArgumentException($"Gemm: the shapes of {c} = {a}{(transposeA ? "^T" : "")} x {b}{(transposeB ? "^T" : "")} do not fit");
        }

        That(bias is null || bias.DType == c.DType, Op.Gemm, "the bias must have the type of the result", c, bias);
        OnePerColumn(Op.Gemm, c, bias);
        return (batch, m, n, k);
    }

    /// <summary>Arguments of <see cref="IBackend.Gram"/>.</summary>
    public static void Gram(IBackend backend, Tensor h, Tensor x)
    {
        Alive(h, x);
        if (h.DType != DType.F64 || !backend.Supports(Op.Gram, x.DType) || h.Shape.Rank != 2 || h.Rows != x.Columns || h.Columns != x.Columns)
        {
            throw new ArgumentException($"Gram: {h} += {x}^T {x}: an F64 matrix (D,D) and a narrower one (N,D) that {backend.Name} multiplies are needed");
        }
    }

    /// <summary>Arguments of <see cref="IBackend.SymEig"/>.</summary>
    public static void SymEig(Tensor values, Tensor vectors, Tensor a)
    {
        SquareF64(Op.SymEig, a, vectors);
        Alive(values);
        if (values.DType != DType.F64 || values.Shape.Count != a.Rows || !values.IsContiguous)
        {
            throw new ArgumentException($"SymEig: {values} does not hold the eigenvalues of {a}");
        }
    }

    /// <summary>Arguments of <see cref="IBackend.Qr"/>.</summary>
    public static void Qr(Tensor q, Tensor a) => SquareF64(Op.Qr, a, q);

    /// <summary>Arguments of <see cref="IBackend.CholeskySolve"/>.</summary>
    public static void CholeskySolve(Tensor b, Tensor a)
    {
        SquareF64(Op.CholeskySolve, a, a);
        Alive(b);
        if (b.DType != DType.F64 || b.Shape.Rank != 2 || b.Columns != a.Columns)
        {
            throw new ArgumentException($"CholeskySolve: the rows of {b} are no right-hand sides of {a}: an F64 matrix (N,D) is needed");
        }
    }

    /// <summary>Throws where the <paramref name="minor"/>-th leading minor of <paramref name="a"/> is not positive; 0 is none.</summary>
    public static void PositiveDefinite(long minor, Tensor a)
    {
        if (minor != 0)
        {
            throw new EngineException("NE10104", $"CholeskySolve: the matrix {a.Shape} is not positive definite, minor {minor}")
            {
                Hint = "more calibration text gives a better conditioned matrix",
            };
        }
    }

    /// <summary>A product of one type, of a stored weight, or one that mixes F32 with one 16-bit type where that is multiplied.</summary>
    private static bool Multiplies(IBackend backend, DType c, DType a, DType b)
    {
        DType[] narrow = [.. new[] { c, a, b }.Where(t => t != DType.F32).Distinct()];
        return narrow switch
        {
            [] => true,
            [DType.F64] => c == DType.F64 && a == DType.F64 && b == DType.F64,
            [var t] => backend.Supports(Op.Gemm, t) || (t == b && c == DType.F32 && a == DType.F32 && IsStoredWeight(backend, t)),
            _ => false,
        };
    }

    /// <summary>A type that weights may keep when everything around them is F32.</summary>
    private static bool IsStoredWeight(IBackend backend, DType dtype) => dtype == DType.BF16 || (dtype == DType.F16 && backend.Supports(Op.Gemm, dtype));

    private static void SquareF64(Op op, Tensor a, Tensor result)
    {
        Alive(a, result);
        if (a.DType != DType.F64 || result.DType != DType.F64 || a.Shape.Rank != 2 || a.Rows != a.Columns || result.Shape != a.Shape)
        {
            throw new ArgumentException($"{op}: {a} to {result}: F64 matrices (D,D) are needed");
        }
    }
}
