namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void ZeroMasked(Tensor y, Tensor mask)
    {
        if (mask.DType != DType.I32 || mask.Columns != y.Rows)
        {
            throw new ArgumentException($"ZeroMasked: mask {mask} does not fit y {y}");
        }

        ReadOnlySpan<int> keep = mask.AsSpan<int>();
        for (int n = 0; n < keep.Length; n++)
        {
            if (keep[n] == 0)
            {
                Zero(y.RowRange(n, 1));
            }
        }
    }
}
