using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Tests;

namespace NativeEngine.Cuda.Tests;

/// <summary>Every row of the op table that the device computes: against its reference loops, with gaps untouched, the same bits in every order of threads.</summary>
[Collection(DeviceCollection.Name)]
public sealed class OpTableTests
{
    /// <summary>Attention is computed in binary32 at most.</summary>
    public static IEnumerable<object[]> Cases =>
        from test in OpCases.All.Concat(OpCases.HalfPrecision)
        where test.DType != DType.F64 || test.Op is not (Op.Attention or Op.AttentionBackward)
        select new object[] { test.Name };

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Matches_the_reference_in_every_order(string name)
    {
        OpCase test = OpCases.Get(name);
        CudaBackend device = Device.Open();
        Assert.True(device.Supports(test.Op, test.DType));
        using var cpu = new CpuBackend(1);
        byte[][]? first = null;
        foreach (string order in OrdersOf(test))
        {
            Device.Order(order);
            using var arena = new OpArena(cpu, test);
            double[][] values = [.. arena.Tensors.Select(OpArena.Values)], inputs = [.. values.Select(v => v.ToArray())];
            test.Reference(values);
            RunOn(device, test, arena);

            for (int i = 0; i < values.Length; i++)
            {
                (double[] expected, double bound) = i < test.Outputs ? (values[i], Tolerances.Nmse(test.Op, TypeOf(test, i))) : (inputs[i], 0);
                OpArena.AssertClose($"{name}, {order}, operand {i}", expected, OpArena.Values(arena.Tensors[i]), bound);
            }

            arena.CheckSentinels(name);
            byte[][] bytes = [.. Enumerable.Range(0, test.Outputs).Select(arena.Bytes)];
            first ??= bytes;
            Assert.All(first.Zip(bytes), pair => Assert.True(pair.First.AsSpan().SequenceEqual(pair.Second), $"{name}: {order} gives other bits than forward"));
        }

        Device.CheckReport(name);
    }

    /// <summary>One text makes the kernels of all types, so that F32 and F64 show that orders do not matter; attention on tensor cores has its own, and BF16 shows it.</summary>
    private static IEnumerable<string> OrdersOf(OpCase test) =>
        test.DType == DType.F16 || (test.DType == DType.BF16 && test.Op is not (Op.Attention or Op.AttentionBackward)) ? Device.Orders.Take(1) : Device.Orders;

    /// <summary>What decides how exact a destination is: beside 16-bit elements, wider ones are sums in F32.</summary>
    private static DType TypeOf(OpCase test, int destination) =>
        test.DType.Size() == sizeof(ushort) && test.Operands[destination].DType != test.DType ? DType.F32 : test.DType;

    /// <summary>Runs the case on copies of the arena's memory, and copies them back.</summary>
    private static void RunOn(CudaBackend device, OpCase test, OpArena arena)
    {
        Tensor[] owners = [.. arena.Owners.Select(owner =>
        {
            Tensor copy = device.Alloc(owner.DType, new Shape(owner.Shape.Count));
            device.Upload<byte>(copy, Bytes(owner));
            return copy;
        })];
        test.Run(device, [.. arena.Tensors.Select((t, i) => new Tensor(owners[i].Address, t.DType, t.Shape, t.RowStride))]);
        for (int i = 0; i < owners.Length; i++)
        {
            device.Download(Bytes(arena.Owners[i]), owners[i]);
            owners[i].Dispose();
        }
    }

    private static unsafe Span<byte> Bytes(Tensor host) => new((void*)host.Address, (int)host.Bytes);
}
