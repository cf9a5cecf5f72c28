using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>Every row of the op table against its reference loops, and against itself on other numbers of threads.</summary>
public sealed class OpParityTests
{
    private static readonly CpuBackend[] Backends = [new(1), new(2), new(3), new(8)];

    public static IEnumerable<object[]> Cases => OpCases.Names;

    [Theory]
    [MemberData(nameof(Cases))]
    public void Matches_the_reference(string name)
    {
        OpCase test = OpCases.Get(name);
        CpuBackend backend = Backends[1];
        using var arena = new OpArena(backend, test);
        double[][] values = [.. arena.Tensors.Select(OpArena.Values)];
        double[][] inputs = [.. values.Select(v => v.ToArray())];

        test.Run(backend, arena.Tensors);
        test.Reference(values);

        for (int i = 0; i < test.Outputs; i++)
        {
            AssertClose($"{name}, operand {i}", values[i], OpArena.Values(arena.Tensors[i]), Tolerances.Nmse(test.Op, test.DType));
        }

        for (int i = test.Outputs; i < inputs.Length; i++)
        {
            Assert.True(inputs[i].AsSpan().SequenceEqual(OpArena.Values(arena.Tensors[i])), $"{name}: operand {i} is no destination and has changed");
        }

        arena.CheckSentinels(name);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Does_not_depend_on_the_number_of_threads(string name)
    {
        OpCase test = OpCases.Get(name);
        byte[][]? single = null;
        foreach (CpuBackend backend in Backends)
        {
            using var arena = new OpArena(backend, test);
            test.Run(backend, arena.Tensors);
            byte[][] bytes = [.. Enumerable.Range(0, test.Outputs).Select(arena.Bytes)];
            single ??= bytes;
            for (int i = 0; i < test.Outputs; i++)
            {
                Assert.True(single[i].AsSpan().SequenceEqual(bytes[i]), $"{name}, operand {i}: {backend.Threads} threads give other bits than one");
            }
        }
    }

    [Fact]
    public void Every_op_has_a_case()
    {
        IEnumerable<Op> covered = OpCases.All.Select(test => test.Op).Concat(OpCases.Elsewhere.Keys);
        Assert.Empty(Enum.GetValues<Op>().Except(covered));
    }

    /// <summary>
    /// Fails when the normalised mean squared error is above <paramref name="bound"/>. Infinities must be equal; where only zeros are
    /// expected, the error is measured as if they were ones.
    /// </summary>
    internal static void AssertClose(string name, double[] expected, double[] actual, double bound)
    {
        double error = 0, norm = 0;
        int worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (double.IsInfinity(expected[i]) && actual[i] == expected[i])
            {
                continue;
            }

            if (!double.IsFinite(actual[i] - expected[i]))
            {
                Assert.Fail($"{name}: element {i} is {actual[i]:R}, expected {expected[i]:R}");
            }

            error += Math.Pow(actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
            worst = Math.Abs(actual[i] - expected[i]) > Math.Abs(actual[worst] - expected[worst]) ? i : worst;
        }

        double nmse = error / (norm == 0 ? expected.Length : norm);
        Assert.True(nmse <= bound, $"{name}: NMSE {nmse:E2} of {bound:E2}; worst at {worst}: {actual[worst]:R}, expected {expected[worst]:R}");
    }
}
