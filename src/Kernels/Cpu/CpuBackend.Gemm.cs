using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <summary>Register width of the product kernels; tests choose another than the machine's best.</summary>
    internal Isa Isa { get; init; } = GemmTiles<float>.Best.Isa;

    /// <inheritdoc/>
    public void Gemm(Tensor c, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, double alpha = 1, double beta = 0)
    {
        int rank = c.Shape.Rank;
        bool stored = b.DType == DType.BF16 && c.DType == DType.F32;
        if (rank is not (2 or 3) || a.Shape.Rank != rank || b.Shape.Rank != rank || a.DType != c.DType || (b.DType != c.DType && !stored))
        {
            throw new ArgumentException($"Gemm: {c} = {a} x {b}: three matrices, or three batches of them, of one type are needed (b may be BF16 where the others are F32)");
        }

        long batch = rank == 3 ? c.Shape[0] : 1;
        long m = c.Shape[rank - 2], n = c.Columns, k = transposeA ? a.Shape[rank - 2] : a.Columns;
        if (a.Shape[rank - 2] != (transposeA ? k : m) || a.Columns != (transposeA ? m : k)
            || b.Shape[rank - 2] != (transposeB ? n : k) || b.Columns != (transposeB ? k : n)
            || (rank == 3 && (a.Shape[0] != batch || b.Shape[0] != batch)))
        {
            throw new ArgumentException($"Gemm: the shapes of {c} = {a}{(transposeA ? "^T" : "")} x {b}{(transposeB ? "^T" : "")} do not fit");
        }

        switch (c.DType)
        {
            case DType.F32 when stored:
                Gemm<float, ushort>(batch, m, n, k, (float)alpha, a, transposeA, b, transposeB, (float)beta, c);
                break;
            case DType.F32:
                Gemm<float, float>(batch, m, n, k, (float)alpha, a, transposeA, b, transposeB, (float)beta, c);
                break;
            case DType.F64:
                Gemm<double, double>(batch, m, n, k, alpha, a, transposeA, b, transposeB, beta, c);
                break;
            default:
                throw new ArgumentException($"Gemm: {c.DType} is not computed on the CPU");
        }
    }

    /// <inheritdoc/>
    public unsafe void Gram(Tensor h, Tensor x)
    {
        if (h.DType != DType.F64 || x.DType != DType.F32 || h.Shape.Rank != 2 || h.Rows != x.Columns || h.Columns != x.Columns)
        {
            throw new ArgumentException($"Gram: {h} += {x}^T {x}: an F64 matrix (D,D) and an F32 matrix (N,D) are needed");
        }

        new GemmGram(GemmTiles<double>.For(Isa), x.Rows, x.Columns, (float*)x.Address, x.RowStride, (double*)h.Address, h.RowStride).Run(team);
    }

    /// <summary>One product or a batch; what b stores is T, or bfloat16 (ushort) where T is float.</summary>
    private unsafe void Gemm<T, TStored>(long batch, long m, long n, long k, T alpha, Tensor a, bool transposeA, Tensor b, bool transposeB, T beta, Tensor c)
        where T : unmanaged, INumber<T>
        where TStored : unmanaged
    {
        long strideA = (transposeA ? k : m) * a.RowStride, strideB = (transposeB ? n : k) * b.RowStride, strideC = m * c.RowStride;
        var tiles = GemmTiles<T>.For(Isa);

        void One(long i, Team? team) => GemmKernels.Run(
            tiles, team, m, n, k, alpha, (T*)a.Address + i * strideA, a.RowStride, transposeA, (TStored*)b.Address + i * strideB, b.RowStride, transposeB, beta,
            (T*)c.Address + i * strideC, c.RowStride);

        if (batch >= 2 * team.Threads)
        {
            team.For(batch, i => One(i, null));
            return;
        }

        for (long i = 0; i < batch; i++)
        {
            One(i, team);
        }
    }
}
