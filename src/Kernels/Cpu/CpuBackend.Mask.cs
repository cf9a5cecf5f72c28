namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void ZeroMasked(Tensor y, Tensor mask)
    {
        Check.ZeroMasked(this, y, mask);
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
