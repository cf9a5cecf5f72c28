using System.Runtime.InteropServices;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Interop;

/// <summary>A column-major matrix in device memory, as cuBLAS and cuSOLVER see it; a row-major one is its transpose.</summary>
/// <param name="Address">of the first element</param>
/// <param name="DType">a float type</param>
/// <param name="Stride">elements from one column to the next</param>
/// <param name="BatchStride">elements from one matrix of a batch to the next</param>
internal readonly record struct DeviceMatrix(nint Address, DType DType, long Stride, long BatchStride = 0)
{
    /// <summary>The element type in the libraries' words.</summary>
    public cudaDataType Type => TypeOf(DType);

    /// <summary>A type in the libraries' words.</summary>
    public static cudaDataType TypeOf(DType dtype) => dtype switch
    {
        DType.F64 => cudaDataType.CUDA_R_64F,
        DType.F32 => cudaDataType.CUDA_R_32F,
        DType.F16 => cudaDataType.CUDA_R_16F,
        DType.BF16 => cudaDataType.CUDA_R_16BF,
        _ => throw new ArgumentException($"the CUDA libraries do not calculate with {dtype}"),
    };
}

/// <summary>A factor of a product, in the type that the product is summed in: fp64 for an fp64 result, else IEEE fp32, never TF32.</summary>
[StructLayout(LayoutKind.Explicit)]
internal readonly struct Factor
{
    [FieldOffset(0)]
    private readonly double wide;

    [FieldOffset(0)]
    private readonly float narrow;

    /// <summary>The factor <paramref name="value"/> for a result of <paramref name="dtype"/>.</summary>
    public Factor(double value, DType dtype)
    {
        if (dtype == DType.F64)
        {
            wide = value;
        }
        else
        {
            narrow = (float)value;
        }
    }

    /// <summary>What a result of <paramref name="dtype"/> is summed in.</summary>
    public static cublasComputeType_t ComputeType(DType dtype) =>
        dtype == DType.F64 ? cublasComputeType_t.CUBLAS_COMPUTE_64F : cublasComputeType_t.CUBLAS_COMPUTE_32F;

    /// <summary>The type that factors have then.</summary>
    public static cudaDataType ScaleType(DType dtype) => dtype == DType.F64 ? cudaDataType.CUDA_R_64F : cudaDataType.CUDA_R_32F;
}
