using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Tests;

/// <summary>One tensor of a case and the values it starts with; element i, counted without padding, is Value(i).</summary>
internal sealed record Operand(DType DType, Shape Shape, Func<int, double> Value)
{
    /// <summary>All of them, rounded as the tensor holds them.</summary>
    public double[] Values => [.. Enumerable.Range(0, (int)Shape.Count).Select(i => DType switch
    {
        DType.BF16 => OpArena.Widen(OpArena.Truncate(Value(i))),
        DType.F16 => (double)(Half)Value(i),
        _ => Value(i),
    })];
}

/// <summary>
/// One row of the op table. The first operands are the destinations. Run calls the op; Reference computes the destinations from
/// all operands, in plain loops in double precision.
/// </summary>
internal sealed record OpCase(Op Op, DType DType, string Shapes, Operand[] Operands, Action<IBackend, Tensor[]> Run, Action<double[][]> Reference)
{
    /// <summary>How many of the operands are destinations.</summary>
    public int Outputs { get; init; } = 1;

    /// <summary>Elements between the rows of every operand that has several rows.</summary>
    public int Gap { get; init; }

    public string Name => $"{Op} {DType} {Shapes}" + (Gap > 0 ? " strided" : "");
}

/// <summary>The operands of a case in memory, surrounded by sentinels.</summary>
internal sealed class OpArena : IDisposable
{
    private const byte Sentinel = 0xA5;
    private readonly List<Tensor> owners = [];

    public OpArena(IBackend backend, OpCase test)
    {
        Tensors = [.. test.Operands.Select(operand => Place(backend, operand, test.Gap))];
    }

    public Tensor[] Tensors { get; }

    /// <summary>The memory of each tensor: its gaps and a guard row are in it.</summary>
    public IReadOnlyList<Tensor> Owners => owners;

    /// <summary>The elements of a tensor as doubles, without the gaps.</summary>
    public static double[] Values(Tensor tensor)
    {
        var values = new double[tensor.Shape.Count];
        for (int i = 0; i < values.Length; i++)
        {
            (int row, int column) = Math.DivRem(i, (int)tensor.Columns);
            values[i] = tensor.DType switch
            {
                DType.F64 => tensor.Row<double>(row)[column],
                DType.F32 => tensor.Row<float>(row)[column],
                DType.BF16 => Widen(tensor.Row<ushort>(row)[column]),
                DType.F16 => (double)tensor.Row<Half>(row)[column],
                DType.I32 => tensor.Row<int>(row)[column],
                _ => throw new NotSupportedException($"{tensor.DType} in the op table"),
            };
        }

        return values;
    }

    /// <summary>Gives element i, counted without the gaps, the value <paramref name="value"/>(i).</summary>
    public static void Write(Tensor tensor, Func<int, double> value)
    {
        for (int i = 0; i < tensor.Shape.Count; i++)
        {
            (int row, int column) = Math.DivRem(i, (int)tensor.Columns);
            switch (tensor.DType)
            {
                case DType.F64:
                    tensor.Row<double>(row)[column] = value(i);
                    break;
                case DType.F32:
                    tensor.Row<float>(row)[column] = (float)value(i);
                    break;
                case DType.BF16:
                    tensor.Row<ushort>(row)[column] = Truncate(value(i));
                    break;
                case DType.F16:
                    tensor.Row<Half>(row)[column] = (Half)value(i);
                    break;
                default:
                    tensor.Row<int>(row)[column] = (int)value(i);
                    break;
            }
        }
    }

    /// <summary>The bits of a BF16, not rounded.</summary>
    public static ushort Truncate(double value) => (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16);

    /// <summary>The value of a BF16.</summary>
    public static double Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The bytes of operand <paramref name="i"/> with its gaps and the guard row behind it.</summary>
    public unsafe byte[] Bytes(int i) => new Span<byte>((void*)owners[i].Address, (int)owners[i].Bytes).ToArray();

    /// <summary>Fails when a byte outside the elements of any operand has changed.</summary>
    public void CheckSentinels(string name)
    {
        for (int i = 0; i < Tensors.Length; i++)
        {
            byte[] bytes = Bytes(i);
            int size = Tensors[i].DType.Size(), stride = (int)owners[i].Columns * size, used = (int)Tensors[i].Columns * size;
            for (int at = 0; at < bytes.Length; at++)
            {
                if (bytes[at] != Sentinel && (at / stride >= Tensors[i].Rows || at % stride >= used))
                {
                    Assert.Fail($"{name}: operand {i} was written at byte {at}, outside {Tensors[i]}");
                }
            }
        }
    }

    /// <summary>
    /// Fails when the normalised mean squared error is above <paramref name="bound"/>. Infinities must be equal; where only zeros are
    /// expected, the error is measured as if they were ones.
    /// </summary>
    public static void AssertClose(string name, double[] expected, double[] actual, double bound)
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

    public void Dispose() => owners.ForEach(owner => owner.Dispose());

    private Tensor Place(IBackend backend, Operand operand, int gap)
    {
        Shape shape = operand.Shape;
        Tensor owner = backend.Alloc(operand.DType, new Shape(shape.Rows + 1, shape.Columns + (shape.Rows > 1 ? gap : 0)));
        owners.Add(owner);
        Fill(owner);
        Tensor tensor = owner.RowRange(0, shape.Rows).ColumnRange(0, shape.Columns).Reshape(shape);
        Write(tensor, operand.Value);
        return tensor;
    }

    private static unsafe void Fill(Tensor owner) => NativeMemory.Fill((void*)owner.Address, (nuint)owner.Bytes, Sentinel);
}
