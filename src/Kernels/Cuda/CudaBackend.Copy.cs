namespace NativeEngine.Kernels.Cuda;

public sealed partial class CudaBackend
{
    private static readonly KernelPrototype CopyF64Kernel = new("copy_f64_forward(real* y, int ldy, const double* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype CopyF32Kernel = new("copy_f32_forward(real* y, int ldy, const float* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype CopyF16Kernel = new("copy_f16_forward(real* y, int ldy, const half* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype CopyBF16Kernel = new("copy_bf16_forward(real* y, int ldy, const bf16* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype WidenKernel = new("widen_forward(long long* y, int ldy, const int* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype NarrowKernel = new("narrow_forward(int* y, int ldy, const long long* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype ZeroKernel = new("zero_forward(real* y, int ldy, int rows, int columns)");
    private static readonly KernelPrototype UniformKernel = new("uniform_forward(real* y, int ldy, int rows, int columns, double limit, unsigned long long start)");
    private static readonly KernelPrototype TransposeKernel = new("transpose_forward(real* y, int ldy, const real* x, int ldx, int rows, int columns)");
    private static readonly KernelPrototype AllFiniteKernel = new("all_finite_forward(int* found, const real* x, int ldx, int rows, int columns)");

    /// <inheritdoc/>
    public void Upload<T>(Tensor y, ReadOnlySpan<T> values) where T : unmanaged
    {
        Check.Transfer<T>(Op.Upload, y, values.Length);
        y.Use();
        indices.Note(y, values);
        transfer.Upload(y, values);
    }

    /// <inheritdoc/>
    public void Download<T>(Span<T> values, Tensor x) where T : unmanaged
    {
        Check.Transfer<T>(Op.Download, x, values.Length);
        transfer.Download(values, x);
    }

    /// <inheritdoc/>
    public void Fill(Tensor y, ReadPart read)
    {
        Check.Fill(y, read);
        indices.Forget(y.Address, y.Bytes);
        bulk.Fill(y, read, y.Owner.IsUsed ? null : pool.Vacated(y.Owner.Address));
    }

    /// <inheritdoc/>
    public Task Drain(Tensor x, WritePart write)
    {
        Check.Drain(x, write);
        return bulk.Drain(x, write);
    }

    /// <inheritdoc/>
    public void Copy(Tensor y, Tensor x)
    {
        Check.Copy(y, x);
        indices.Forget(y.Address, y.Bytes);
        DType from = x.DType == y.DType ? FloatOfSize(x.DType) : x.DType, to = x.DType == y.DType ? from : y.DType;
        KernelPrototype kernel = from switch
        {
            DType.F64 => CopyF64Kernel,
            DType.F32 => CopyF32Kernel,
            DType.F16 => CopyF16Kernel,
            DType.BF16 => CopyBF16Kernel,
            DType.I32 => WidenKernel,
            _ => NarrowKernel,
        };
        Launch(FloatOfSize(to), kernel, grids.Elements(to, y.Rows, y.Columns), y, y.RowStride, x, x.RowStride, y.Rows, y.Columns);
    }

    /// <inheritdoc/>
    public void Zero(Tensor y)
    {
        Check.Zero(y);
        indices.Forget(y.Address, y.Bytes);
        Launch(FloatOfSize(y.DType), ZeroKernel, grids.Elements(y.DType, y.Rows, y.Columns), y, y.RowStride, y.Rows, y.Columns);
    }

    /// <inheritdoc/>
    public void Uniform(Tensor y, double limit, ulong start)
    {
        Check.Uniform(this, y);
        Launch(y.DType, UniformKernel, grids.Elements(y.DType, y.Rows, y.Columns), y, y.RowStride, y.Rows, y.Columns, limit, start);
    }

    /// <inheritdoc/>
    public void Transpose(Tensor y, Tensor x)
    {
        Check.Transpose(this, y, x);
        Launch(y.DType, TransposeKernel, grids.Tiles(x.Rows, x.Columns), y, y.RowStride, x, x.RowStride, x.Rows, x.Columns);
    }

    /// <inheritdoc/>
    public bool AllFinite(Tensor x)
    {
        Check.AllFinite(this, x);
        using Tensor found = Alloc(DType.I32, new Shape(1));
        Zero(found);
        Launch(x.DType, AllFiniteKernel, grids.Elements(x.DType, x.Rows, x.Columns), found, x, x.RowStride, x.Rows, x.Columns);
        return this.Download<int>(found)[0] == 0;
    }

    /// <summary>The module whose real has the size of an element, for kernels that move elements as they are.</summary>
    private static DType FloatOfSize(DType dtype) => dtype switch { DType.I32 => DType.F32, DType.I64 => DType.F64, _ => dtype };
}
