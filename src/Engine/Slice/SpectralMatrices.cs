using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>What the spectral projector does with F64 matrices besides products.</summary>
/// <param name="backend">the device</param>
/// <param name="seed">of random matrices</param>
internal sealed class SpectralMatrices(IBackend backend, ulong seed)
{
    private ulong drawn = seed << 32;

    /// <summary>The sum of the diagonal. (D,D)</summary>
    public double Trace(Tensor square) => backend.Download<double>(square.Diagonal()).Sum();

    /// <summary>square += value I. (D,D)</summary>
    public void AddToDiagonal(Tensor square, double value)
    {
        double[] values = [.. Enumerable.Repeat(value, (int)square.Rows)];
        using Tensor column = backend.Upload<double>(new Shape(square.Rows, 1), values);
        backend.Add(square.Diagonal(), column);
    }

    /// <summary>The scalar product of every two rows. (N,D) (N,D)</summary>
    public double[] RowProducts(Tensor a, Tensor b)
    {
        var rows = new Shape(a.Rows, 1, a.Columns);
        using Tensor products = backend.Alloc(DType.F64, new Shape(a.Rows, 1, 1));
        backend.Gemm(products, a.Reshape(rows), b.Reshape(rows), transposeB: true);
        return backend.Download<double>(products);
    }

    /// <summary>The first <paramref name="k"/> columns of <paramref name="columns"/> (D,D), which are destroyed, made orthonormal, as rows (k,D).</summary>
    public Tensor Orthonormal(Tensor columns, long k)
    {
        using Tensor q = backend.Alloc(DType.F64, columns.Shape);
        backend.Qr(q, columns);
        Tensor rows = backend.Alloc(DType.F64, new Shape(k, columns.Rows));
        backend.Transpose(rows, q.ColumnRange(0, k));
        return rows;
    }

    /// <summary>A copy of its own.</summary>
    public Tensor Copy(Tensor matrix)
    {
        Tensor copy = backend.Alloc(DType.F64, matrix.Shape);
        backend.Copy(copy, matrix);
        return copy;
    }

    /// <summary>Numbers between -1 and 1, others every time.</summary>
    public Tensor Draw(Shape shape)
    {
        Tensor numbers = backend.Alloc(DType.F64, shape);
        backend.Uniform(numbers, 1, drawn);
        drawn += (ulong)shape.Count;
        return numbers;
    }
}
