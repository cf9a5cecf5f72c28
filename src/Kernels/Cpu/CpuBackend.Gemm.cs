using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <summary>Register width of the product kernels; tests choose another than the machine's best.</summary>
    internal Isa Isa { get; init; } = GemmTiles<float>.Best.Isa;

    /// <inheritdoc/>
    public void Gemm(Tensor c, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, double alpha = 1, double beta = 0, Tensor? bias = null)
    {
        (long batch, long m, long n, long k) = Check.Gemm(this, c, a, b, transposeA, transposeB, bias);
        switch (c.DType)
        {
            case DType.F32 when b.DType == DType.BF16:
                Gemm<float, ushort>(batch, m, n, k, (float)alpha, a, transposeA, b, transposeB, (float)beta, c);
                break;
            case DType.F32:
                Gemm<float, float>(batch, m, n, k, (float)alpha, a, transposeA, b, transposeB, (float)beta, c);
                break;
            default:
                Gemm<double, double>(batch, m, n, k, alpha, a, transposeA, b, transposeB, beta, c);
                break;
        }

        if (bias is not null)
        {
            AddBias(c, bias);
        }
    }

    /// <inheritdoc/>
    public unsafe void Gram(Tensor h, Tensor x)
    {
        Check.Gram(this, h, x);
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
