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
            OpArena.AssertClose($"{name}, operand {i}", values[i], OpArena.Values(arena.Tensors[i]), Tolerances.Nmse(test.Op, test.DType));
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
}
