using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Types of C prototypes, and which types of C# stand for them in an import.</summary>
internal static partial class CType
{
    private static readonly Dictionary<string, Type> Scalars = new()
    {
        ["void"] = typeof(void),
        ["char"] = typeof(byte),
        ["unsigned char"] = typeof(byte),
        ["int"] = typeof(int),
        ["unsigned int"] = typeof(uint),
        ["long long int"] = typeof(long),
        ["int64_t"] = typeof(long),
        ["uint64_t"] = typeof(ulong),
        ["size_t"] = typeof(nuint),
        ["float"] = typeof(float),
        ["double"] = typeof(double),
        ["CUdevice"] = typeof(int),
        ["CUdeviceptr"] = typeof(nint),
        ["cudaDataType_t"] = typeof(Kernels.Interop.Native.cudaDataType),
    };

    // Pointers to structs that no header defines.
    private static readonly string[] Opaque =
    [
        "CUcontext", "CUstream", "CUevent", "CUmodule", "CUfunction", "cudaStream_t", "nvrtcProgram", "cublasHandle_t", "cublasLtHandle_t", "cublasLtMatmulDesc_t",
        "cublasLtMatrixLayout_t", "cublasLtMatmulPreference_t", "cusolverDnHandle_t", "cusolverDnParams_t",
    ];

    /// <summary>The types in a parameter list, without names and const.</summary>
    public static string[] Parameters(string list) => list == "void" ? [] : [.. list.Split(',').Select(TypeOf)];

    /// <summary>Whether <paramref name="ours"/> has the size and meaning of the C type <paramref name="type"/>.</summary>
    public static bool Fits(string type, Type ours)
    {
        if (type.EndsWith('*'))
        {
            // Memory of the device is an address, not a pointer: nint.
            return ours == typeof(nint) ? type is "void*" or "float*" or "double*" or "int*" : ours.IsPointer && Fits(type[..^1], ours.GetElementType()!);
        }

        return Opaque.Contains(type) ? ours == typeof(nint)
            : Scalars.TryGetValue(type, out Type? scalar) ? ours == scalar
            : ours.Name == type && (!ours.IsEnum || Enum.GetUnderlyingType(ours) == typeof(int));
    }

    private static string TypeOf(string parameter)
    {
        string text = Const().Replace(parameter, "").Trim();
        bool array = text.EndsWith("[]", StringComparison.Ordinal);
        return Name().Replace(array ? text[..^2] : text, "").Replace(" ", text.Contains('*') ? "" : " ", StringComparison.Ordinal) + (array ? "*" : "");
    }

    [GeneratedRegex(@"\bconst\b")]
    private static partial Regex Const();

    /// <summary>The parameter's name, and the space in front of it.</summary>
    [GeneratedRegex(@"\s*\b\w+$")]
    private static partial Regex Name();
}
