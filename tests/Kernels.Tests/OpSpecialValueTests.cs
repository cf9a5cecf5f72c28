using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Kernels.Tests;

/// <summary>NaN and infinity: they stay visible, and they stay in their row.</summary>
public sealed class OpSpecialValueTests
{
    private const int Columns = 37;

    public static TheoryData<DType, int> Places
    {
        get
        {
            var data = new TheoryData<DType, int>();
            foreach (int column in new[] { 0, 7, 31, 36 })
            {
                data.Add(DType.F32, column);
                data.Add(DType.F64, column);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void A_NaN_spoils_its_row_of_a_softmax_and_no_other(DType dtype, int column)
    {
        using var backend = new CpuBackend(1);
        using Tensor x = Ramp(backend, dtype), y = backend.Alloc(dtype, x.Shape), logProb = backend.Alloc(DType.F64, new Shape(3));
        using Tensor targets = backend.Alloc(DType.I32, new Shape(3));
        targets.AsSpan<int>().Fill(5);
        Set(x, 1, column, double.NaN);

        backend.Softmax(y, x);
        backend.TokenLogProb(logProb, x, targets);

        double[] values = OpArena.Values(y);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(i / Columns == 1, double.IsNaN(values[i]));
        }

        Assert.Equal([false, true, false], OpArena.Values(logProb).Select(double.IsNaN));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void A_logit_of_minus_infinity_has_probability_zero(DType dtype, int column)
    {
        using var backend = new CpuBackend(1);
        using Tensor x = Ramp(backend, dtype), y = backend.Alloc(dtype, x.Shape);
        Set(x, 1, column, double.NegativeInfinity);

        backend.Softmax(y, x);

        double[] values = OpArena.Values(y);
        Assert.Equal(0, values[Columns + column]);
        Assert.InRange(values[Columns..(2 * Columns)].Sum(), 1 - 1e-6, 1 + 1e-6);
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Activations_keep_NaN_and_the_limits(DType dtype, int column)
    {
        using var backend = new CpuBackend(1);
        using Tensor x = Ramp(backend, dtype), y = backend.Alloc(dtype, x.Shape);
        Set(x, 0, column, double.NaN);
        Set(x, 1, column, double.PositiveInfinity);
        Set(x, 2, column, -1e6);
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            backend.Activate(y, x, f);
            double[] values = OpArena.Values(y);
            Assert.Equal(1, values.Count(double.IsNaN));
            Assert.True(double.IsNaN(values[column]), $"{f} of NaN");
            Assert.Equal(double.PositiveInfinity, values[Columns + column]);
            Assert.Equal(0, values[2 * Columns + column]);
        }
    }

    [Theory]
    [InlineData(DType.F32, 1)]
    [InlineData(DType.F32, 40)]
    [InlineData(DType.F64, 1)]
    [InlineData(DType.F64, 40)]
    public void A_hidden_key_has_no_influence_at_all(DType dtype, int queries)
    {
        var dims = new AttentionDims(4, 2, 16, 48, 0.25);
        using var backend = new CpuBackend(1);
        using Tensor q = Filled(backend, dtype, new Shape(1, queries, 64), 1), k = Filled(backend, dtype, new Shape(1, 50, 32), 2);
        using Tensor v = Filled(backend, dtype, new Shape(1, 50, 32), 3), mask = backend.Alloc(DType.I32, new Shape(1, 48));
        using Tensor before = backend.Alloc(dtype, q.Shape), after = backend.Alloc(dtype, q.Shape);
        mask.AsSpan<int>().Fill(1);
        mask.AsSpan<int>()[..10].Clear();

        backend.Attention(before, null, q, k, v, mask, null, dims);
        for (int key = 0; key < 10; key++)
        {
            Set(k, key, 3, 1e15);
            Set(v, key, 3, 1e15);
        }

        Set(k, 48, 0, double.NaN); // rows of the cache that are not filled in
        Set(v, 49, 0, double.NaN);
        backend.Attention(after, null, q, k, v, mask, null, dims);

        Assert.Equal(OpArena.Values(before), OpArena.Values(after));
        int blind = Math.Max(0, queries - 48 + 10);
        Assert.All(OpArena.Values(after)[..(blind * 64)], value => Assert.Equal(0, value));
        Assert.All(OpArena.Values(after)[(blind * 64)..], value => Assert.NotEqual(0, value));
    }

    [Theory]
    [InlineData(DType.F32, 1)]
    [InlineData(DType.F32, 300)]
    [InlineData(DType.F64, 1)]
    [InlineData(DType.F64, 300)]
    public void A_sequence_that_sees_no_key_gives_zero_and_has_no_gradient(DType dtype, int length)
    {
        var dims = new AttentionDims(4, 2, 16, length, 0.25);
        using var backend = new CpuBackend(1);
        using Tensor q = Filled(backend, dtype, new Shape(2, length, 64), 1), k = Filled(backend, dtype, new Shape(2, length, 32), 2);
        using Tensor v = Filled(backend, dtype, new Shape(2, length, 32), 3), y = backend.Alloc(dtype, q.Shape), dq = backend.Alloc(dtype, q.Shape);
        using Tensor dk = backend.Alloc(dtype, k.Shape), dv = backend.Alloc(dtype, v.Shape), logSumExp = backend.Alloc(dtype, new Shape(2, 4, length));
        using Tensor first = backend.Alloc(DType.I32, new Shape(2, length));
        first.Row<int>(0).Fill(int.MinValue);
        first.Row<int>(1).Fill(int.MaxValue);

        backend.Attention(y, logSumExp, q, k, v, null, first, dims);
        backend.AttentionBackward(dq, dk, dv, q, y, logSumExp, q, k, v, null, first, dims);

        foreach (Tensor x in new[] { y, dq, dk, dv })
        {
            double[] values = OpArena.Values(x);
            Assert.All(values, value => Assert.True(double.IsFinite(value)));
            Assert.All(values[(values.Length / 2)..], value => Assert.Equal(0, value));
        }

        double[] logs = OpArena.Values(logSumExp);
        Assert.All(logs[..(logs.Length / 2)], value => Assert.True(double.IsFinite(value)));
        Assert.All(logs[(logs.Length / 2)..], value => Assert.Equal(double.NegativeInfinity, value));
    }

    private static Tensor Ramp(CpuBackend backend, DType dtype)
    {
        Tensor x = backend.Alloc(dtype, new Shape(3, Columns));
        for (int i = 0; i < 3 * Columns; i++)
        {
            Set(x, i / Columns, i % Columns, (i % Columns - 18) * 0.3);
        }

        return x;
    }

    private static Tensor Filled(CpuBackend backend, DType dtype, Shape shape, int seed)
    {
        var random = new Random(seed);
        Tensor x = backend.Alloc(dtype, shape);
        for (int i = 0; i < shape.Count; i++)
        {
            Set(x, i / shape.Columns, (int)(i % shape.Columns), random.NextDouble() - 0.4);
        }

        return x;
    }

    private static void Set(Tensor x, long row, int column, double value)
    {
        if (x.DType == DType.F32)
        {
            x.Row<float>(row)[column] = (float)value;
        }
        else
        {
            x.Row<double>(row)[column] = value;
        }
    }
}
