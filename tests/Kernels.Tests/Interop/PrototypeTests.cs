using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using NativeEngine.Kernels.Interop.Native;
using NativeEngine.Testing;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Every import against the C prototype of three toolkits.</summary>
public sealed class PrototypeTests
{
    private static readonly Dictionary<string, string> Sonames = new()
    {
        [Libraries.Driver] = "libcuda.so.1",
        [Libraries.Nvrtc] = "libnvrtc.so.12 / .13",
        [Libraries.CuBlas] = "libcublas.so.12 / .13",
        [Libraries.CuBlasLt] = "libcublasLt.so.12 / .13",
        [Libraries.CuSolver] = "libcusolver.so.11 / .12",
        [Libraries.Nvtx] = "libnvtx3interop.so.1",
    };

    [Fact]
    public void Imports_are_plain_native_calls()
    {
        Assert.InRange(Declarations.Imports.Count, 70, 200);
        // Where a parameter had to be converted, the import would be a managed method around another one.
        Assert.All(Declarations.Imports, import => Assert.True(import.Attributes.HasFlag(MethodAttributes.PinvokeImpl), import.Name));
        Assert.All(Declarations.Imports, import => Assert.Equal(import.Name, import.GetCustomAttribute<DllImportAttribute>()!.EntryPoint));
    }

    [Fact]
    public void Nothing_outside_the_bindings_calls_a_library_itself()
    {
        string own = Path.Combine("src", "Kernels", "Interop");
        Assert.DoesNotContain(Directory.EnumerateFiles(Path.Combine(Shared.Root, "src"), "*.cs", SearchOption.AllDirectories)
, file => !file.Contains(own, StringComparison.Ordinal) && File.ReadAllText(file).Contains("Interop.Native", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void Imports_are_exported_by_every_toolkit()
    {
        JsonElement prototypes = Declarations.Golden("prototypes.json");
        Assert.All(Declarations.Imports, import =>
        {
            Assert.True(prototypes.TryGetProperty(import.Name, out JsonElement prototype), $"{import.Name} is in no header");
            string library = import.GetCustomAttribute<DllImportAttribute>()!.Value;
            Assert.Equal(Sonames[library], prototype.GetProperty("library").GetString());
            Assert.True(prototype.GetProperty("same_prototype_in_all").GetBoolean());

            // The symbols of the driver could not be listed: what a header of 12.1 declares stays in the library. NVTX and batches of eigenproblems are optional.
            (string fact, string[] needed) = library switch
            {
                Libraries.Driver => ("declared", ["12.1"]),
                Libraries.Nvtx => ("exported", ["12.9", "13.0"]),
                Libraries.CuSolver when import.Name.StartsWith("cusolverDnXsyevBatched", StringComparison.Ordinal) => ("exported", ["12.9", "13.0"]),
                _ => ("exported", Declarations.Toolkits),
            };
            Assert.Empty(needed.Except(prototype.GetProperty(fact).EnumerateArray().Select(toolkit => toolkit.GetString()!)));
        });
    }

    [SkippableFact]
    public void Imports_have_the_parameters_of_their_prototypes()
    {
        JsonElement prototypes = Declarations.Golden("prototypes.json");
        Assert.All(Declarations.Imports, import =>
        {
            JsonElement prototype = prototypes.GetProperty(import.Name);
            string[] parameters = CType.Parameters(prototype.GetProperty("parameters").GetString()!);
            Type[] ours = [.. import.GetParameters().Select(parameter => parameter.ParameterType)];
            Assert.Equal(parameters.Length, ours.Length);
            Assert.All(parameters.Zip(ours), pair => Assert.True(CType.Fits(pair.First, pair.Second), $"{import.Name}: {pair.First} is not {pair.Second}"));
            string returned = prototype.GetProperty("returns").GetString()!;
            Assert.True(CType.Fits(returned, import.ReturnType), $"{import.Name} returns {returned}, not {import.ReturnType}");
        });
    }

    [Theory]
    [InlineData("size_t* bytes", typeof(int*))]
    [InlineData("size_t bytes", typeof(uint))]
    [InlineData("int device", typeof(nint))]
    [InlineData("CUstream hStream", typeof(int))]
    [InlineData("CUresult error", typeof(cublasStatus_t))]
    [InlineData("const float* alpha", typeof(double*))]
    [InlineData("CUdeviceptr dptr", typeof(byte*))]
    public void A_wrong_parameter_is_seen(string parameter, Type ours) => Assert.False(CType.Fits(CType.Parameters(parameter).Single(), ours));
}
