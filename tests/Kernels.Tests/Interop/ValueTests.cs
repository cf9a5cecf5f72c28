using System.Runtime.InteropServices;
using System.Text.Json;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Enum values, sizes and offsets, as a C compiler found them in the headers of three toolkits.</summary>
public sealed class ValueTests
{
    // In cuda.h, but not among the values that were measured.
    private static readonly string[] Unmeasured =
    [
        "CUDA_ERROR_CONTAINED", "CUDA_ERROR_CONTEXT_IS_DESTROYED", "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA_ERROR_HARDWARE_STACK_ERROR", "CUDA_ERROR_ILLEGAL_INSTRUCTION",
        "CUDA_ERROR_INVALID_ADDRESS_SPACE", "CUDA_ERROR_INVALID_PC", "CUDA_ERROR_NVLINK_UNCORRECTABLE", "CUDA_ERROR_TENSOR_MEMORY_LEAK",
    ];

    public static TheoryData<string> Toolkits => [.. Declarations.Toolkits];

    [SkippableTheory]
    [MemberData(nameof(Toolkits))]
    public void Values_are_those_of_the_headers(string toolkit)
    {
        Dictionary<string, long> measured = Declarations.Golden($"values-{toolkit}.json").GetProperty("enums").EnumerateObject()
            .SelectMany(group => group.Value.EnumerateObject())
            .ToDictionary(value => value.Name, value => value.Value.GetInt64());
        foreach (JsonProperty error in Declarations.Golden("nvrtc_probe-13.0.json").GetProperty("error_strings").EnumerateObject())
        {
            measured[error.Value.GetString()!] = long.Parse(error.Name);
        }

        Assert.InRange(Declarations.Values.Count, 100, 300);
        Assert.Equal(Unmeasured, Declarations.Values.Select(value => value.Name).Where(name => !measured.ContainsKey(name)).Order(StringComparer.Ordinal));
        Assert.All(Declarations.Values.Where(value => measured.ContainsKey(value.Name)), value => Assert.Equal((value.Name, measured[value.Name]), value));
    }

    [SkippableTheory]
    [MemberData(nameof(Toolkits))]
    public void Structs_are_laid_out_as_in_c(string toolkit)
    {
        JsonElement layout = Declarations.Golden($"values-{toolkit}.json").GetProperty("structs");
        Assert.Equal(["CUDA_MEMCPY2D", "cublasLtMatmulAlgo_t", "cublasLtMatmulHeuristicResult_t"], Declarations.Structs.Select(type => type.Name).Order(StringComparer.Ordinal));
        Assert.All(Declarations.Structs, type => Assert.Equal(layout.GetProperty(type.Name).GetInt32(), Marshal.SizeOf(type)));
        Assert.All(
            Declarations.Structs.SelectMany(type => type.GetFields()),
            field => Assert.Equal(layout.GetProperty($"{field.DeclaringType!.Name}.{field.Name}").GetInt32(), (int)Marshal.OffsetOf(field.DeclaringType, field.Name)));
    }

    [Fact]
    public void Addresses_have_64_bits() => Assert.Equal(8, nint.Size);
}
