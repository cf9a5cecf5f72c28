using System.Reflection;
using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Kernels.Tests;

/// <summary>What launches expect of kernels.cu is what it says. Needs no CUDA.</summary>
public sealed class KernelPrototypeTests
{
    [Fact]
    public void Every_kernel_is_launched_as_it_is_declared()
    {
        IEnumerable<string> launched = typeof(CudaBackend).GetFields(BindingFlags.NonPublic | BindingFlags.Static)
            .Select(field => field.GetValue(null)).OfType<KernelPrototype>().Select(kernel => kernel.Text);
        IEnumerable<string> declared = KernelPrototype.In(KernelSet.Source).Select(kernel => kernel.Text);
        Assert.NotEmpty(declared);
        Assert.Equal(declared.Order(StringComparer.Ordinal), launched.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_declaration_is_read_over_several_lines()
    {
        KernelPrototype kernel = KernelPrototype.In("""
            // launch: elements(rows, columns)
            extern "C" __global__ void __launch_bounds__(256)
                f(real* y, const int* i, int n, unsigned u,
                  unsigned long long key, double d, acc a) {
            }
            """).Single();
        Assert.Equal("f(real* y, const int* i, int n, unsigned u, unsigned long long key, double d, acc a)", kernel.Text);
        Assert.Equal(
            [
                ParameterKind.Pointer, ParameterKind.Pointer, ParameterKind.Int, ParameterKind.UnsignedInt,
                ParameterKind.UnsignedLong, ParameterKind.Double, ParameterKind.Accumulator,
            ],
            kernel.Parameters);
    }

    [Theory]
    [InlineData("f(short n)")]
    [InlineData("f(real x)")]
    [InlineData("f()")]
    public void What_no_launch_can_pass_is_refused(string text) => Assert.Throws<ArgumentException>(() => new KernelPrototype(text));

    [Fact]
    public void A_number_becomes_what_the_kernel_computes_in()
    {
        Argument half = 0.5, three = 3L;
        Assert.True(half.TryEncode(ParameterKind.Accumulator, inDouble: true, out ulong wide));
        Assert.True(half.TryEncode(ParameterKind.Accumulator, inDouble: false, out ulong narrow));
        Assert.True(three.TryEncode(ParameterKind.Int, inDouble: false, out ulong integer));
        Assert.Equal((0x3FE0000000000000UL, 0x3F000000UL, 3UL), (wide, narrow, integer));
        Assert.False(three.TryEncode(ParameterKind.Double, inDouble: false, out _));
        Assert.False(half.TryEncode(ParameterKind.Int, inDouble: false, out _));
        Assert.Throws<OverflowException>(() => (Argument)(1L << 31));
    }
}
