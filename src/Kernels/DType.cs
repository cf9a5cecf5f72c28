namespace NativeEngine.Kernels;

/// <summary>Element types of a <see cref="Tensor"/>. Every device computes in F32 and F64, a GPU in F16 and BF16 as well.</summary>
public enum DType
{
    /// <summary>IEEE binary64.</summary>
    F64,

    /// <summary>IEEE binary32.</summary>
    F32,

    /// <summary>IEEE binary16.</summary>
    F16,

    /// <summary>The upper half of a binary32.</summary>
    BF16,

    /// <summary>Two's-complement 32 bit.</summary>
    I32,

    /// <summary>Two's-complement 64 bit.</summary>
    I64,
}

/// <summary>Sizes and names of the element types.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.F64 or DType.I64 => 8,
        DType.F32 or DType.I32 => 4,
        _ => 2,
    };

    /// <summary>True for the types that hold real numbers.</summary>
    public static bool IsFloat(this DType dtype) => dtype is DType.F64 or DType.F32 or DType.F16 or DType.BF16;

    /// <summary>What sums over elements of <paramref name="dtype"/> have: F64 of F64, F32 of everything narrower.</summary>
    public static DType Accumulator(this DType dtype) => dtype == DType.F64 ? DType.F64 : DType.F32;

    /// <summary>The element type of <typeparamref name="T"/>; throws for a type no tensor holds.</summary>
    public static DType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DType.F32
        : typeof(T) == typeof(double) ? DType.F64
        : typeof(T) == typeof(int) ? DType.I32
        : typeof(T) == typeof(long) ? DType.I64
        : typeof(T) == typeof(Half) ? DType.F16
        : throw new ArgumentException($"no tensor holds {typeof(T).Name}");
}
