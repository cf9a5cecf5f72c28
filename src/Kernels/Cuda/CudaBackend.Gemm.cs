using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private const long ConvertedElements = 16 << 20; // of a weight that is converted for a product
    private const long GramRows = 2048, ShortGramRows = 4096; // whose products are summed before they are added in F64; those of 16-bit numbers are exact, their sums are cut
    private const int AffordableF64 = 2; // matrix units of such devices multiply F64 at the rate of plain F32

    private static readonly KernelPrototype GramKernel = new("gram_update(double* h, int ldh, const acc* c, int ldc, int n)");

    /// <inheritdoc/>
    public void Gemm(Tensor c, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, double alpha = 1, double beta = 0, Tensor? bias = null)
    {
        (long batch, long m, long n, long k) = Check.Gemm(this, c, a, b, transposeA, transposeB, bias);
        DType factors = c.DType.Size() == sizeof(ushort) || a.DType != b.DType ? c.DType : a.DType;
        using Tensor? converted = a.DType == factors ? null : Converted(a, factors);
        a = converted ?? a;
        if (b.DType == factors)
        {
            Multiply(c, a, b, transposeA, transposeB, (batch, m, n, k), alpha, beta, bias);
            return;
        }

        // cuBLAS multiplies factors of one type. A weight is converted by parts, each of which makes some columns of c.
        long columns = batch > 1 ? n : Math.Clamp(ConvertedElements / Math.Max(k, 1), 1, Math.Max(n, 1));
        for (long from = 0; from < n; from += columns)
        {
            long count = Math.Min(columns, n - from);
            using Tensor part = Converted(batch > 1 ? b : transposeB ? b.RowRange(from, count) : b.ColumnRange(from, count), factors);
            Tensor result = batch > 1 ? c : c.ColumnRange(from, count);
            Multiply(result, a, part, transposeA, transposeB, (batch, m, count, k), alpha, beta, bias?.ColumnRange(from, count));
        }
    }

    /// <inheritdoc/>
    public void Gram(Tensor h, Tensor x)
    {
        Check.Gram(this, h, x);
        long d = x.Columns;
        long most = x.DType == DType.F32 ? GramRows : ShortGramRows;
        DType type = x.DType == DType.F32 && costOfF64 <= AffordableF64 ? DType.F64 : DType.F32;
        using Tensor product = Alloc(type, new Shape(d, d));
        using Tensor? wide = type == DType.F64 ? Alloc(type, new Shape(Math.Min(most, x.Rows), d)) : null;
        for (long from = 0; from < x.Rows; from += most)
        {
            Tensor part = x.RowRange(from, Math.Min(most, x.Rows - from));
            if (wide is not null)
            {
                Tensor block = wide.RowRange(0, part.Rows);
                Copy(block, part);
                part = block;
            }

            Multiply(product, part, part, transposeA: true, transposeB: false, (1, d, d, part.Rows), 1, 0);
            Launch(type, GramKernel, grids.Tiles(d, d), h, h.RowStride, product, product.RowStride, d);
        }
    }

    /// <summary>A row-major matrix is its transpose in column-major order, so that c^T = op(b)^T op(a)^T is what cuBLAS is asked for: its rows have the bias.</summary>
    private void Multiply(
        Tensor c, Tensor a, Tensor b, bool transposeA, bool transposeB, (long Batch, long M, long N, long K) sizes, double alpha, double beta, Tensor? bias = null)
    {
        (long batch, long m, long n, long k) = sizes;
        if (batch == 0 || m == 0 || n == 0)
        {
            return;
        }

        if (k == 0)
        {
            throw new ArgumentException($"Gemm: {c} = {a} x {b}: nothing to sum");
        }

        bool fits = bias is not null && bias.DType != DType.F64 && bias.Address % Products.BiasAlignment == 0; // cuBLASLt adds no bias in F64
        bool isBiased = products.Gemm(
            Matrix(c, m), Matrix(b, transposeB ? n : k), Matrix(a, transposeA ? k : m), transposeB, transposeA, n, m, k, alpha, beta, checked((int)batch),
            fits ? Matrix(bias!).Address : 0);
        if (bias is not null && !(fits && isBiased))
        {
            AddBias(c, bias);
        }
    }

    private Tensor Converted(Tensor x, DType dtype)
    {
        Tensor y = Alloc(dtype, x.Shape);
        Copy(y, x);
        return y;
    }

    private static DeviceMatrix Matrix(Tensor t, long rows = 0) => new(t.Use(), t.DType, t.RowStride, rows * t.RowStride);
}
