using NativeEngine.Kernels;
using NativeEngine.Model;

namespace NativeEngine.Slice;

/// <summary>
/// Rotations of weights, in F64, rounded once at the end. A rotation is given by rows: row i of <c>q</c> is basis vector i,
/// so passing the first k rows rotates and slices in one product. Each function frees what it replaces.
/// </summary>
internal sealed class Rotate(IBackend backend)
{
    private const long RowsAtOnce = 8192; // bounds the F64 copies of an embedding

    /// <summary>An input side: W &lt;- W q^T; also q b of a vector. (O,D) (k,D) to (O,k), or (D) (k,D) to (k)</summary>
    public Tensor Right(Tensor w, Tensor q)
    {
        using Owned made = new();
        Tensor result = made.Add(backend.Alloc(w.DType, w.Shape.Rank == 1 ? new Shape(q.Rows) : new Shape(w.Rows, q.Rows)));
        for (long r = 0; r < w.Rows; r += RowsAtOnce)
        {
            long rows = Math.Min(RowsAtOnce, w.Rows - r);
            using Tensor block = Wide(w.RowRange(r, rows)), product = backend.Alloc(DType.F64, new Shape(rows, q.Rows));
            backend.Gemm(product, block, q, transposeB: true);
            backend.Copy(result.RowRange(r, rows), product);
        }

        w.Dispose();
        return made.HandOver(result);
    }

    /// <summary>An output side: W &lt;- q W. (D,I) (k,D) to (k,I)</summary>
    public Tensor Left(Tensor q, Tensor w)
    {
        using Owned made = new();
        Tensor result = made.Add(backend.Alloc(w.DType, new Shape(q.Rows, w.Columns)));
        using Tensor wide = Wide(w), product = backend.Alloc(DType.F64, result.Shape);
        backend.Gemm(product, q, wide);
        backend.Copy(result, product);
        w.Dispose();
        return made.HandOver(result);
    }

    /// <summary>A map whose input rotates.</summary>
    public Linear? Input(Linear? map, Tensor q) => map is null ? null : map with { Weight = Right(map.Weight, q) };

    /// <summary>A map whose output rotates: W &lt;- q W, b &lt;- q b.</summary>
    public Linear? Output(Linear? map, Tensor q) =>
        map is null ? null : new Linear(Left(q, map.Weight), map.Bias is null ? null : Right(map.Bias, q));

    private Tensor Wide(Tensor t)
    {
        using Owned made = new();
        Tensor wide = made.Add(backend.Alloc(DType.F64, new Shape(t.Rows, t.Columns)));
        backend.Copy(wide, t);
        return made.HandOver(wide);
    }
}
