namespace NativeEngine.Kernels.Tests;

/// <summary>The op table: every op, every arithmetic type, odd sizes, with and without gaps between the rows. It drives all Op tests.</summary>
internal static partial class OpCases
{
    private const double Eps = 1e-5;
    private static readonly (int N, int D)[] Sizes = [(1, 1), (1, 257), (3, 31), (5, 33), (33, 64), (31, 257), (300, 130)];
    private static readonly (int N, int Heads, int HeadDim, int Half)[] RopeSizes = [(1, 1, 2, 1), (31, 3, 32, 16), (33, 8, 128, 64), (257, 5, 80, 10), (3, 2, 9, 4)];
    private static readonly OpCase[] Wide = [.. Build(DType.F32).Concat(Build(DType.F64))], Narrow = [.. Build(DType.BF16).Concat(Build(DType.F16).Where(test => test.Gap == 0))];
    private static readonly Dictionary<string, OpCase> ByName = Wide.Concat(Narrow).ToDictionary(test => test.Name);

    /// <summary>Ops whose results do not fit the table, and the class that tests them.</summary>
    public static readonly IReadOnlyDictionary<Op, string> Elsewhere = new Dictionary<Op, string>
    {
        [Op.Upload] = "OpTransferTests",
        [Op.Download] = "OpTransferTests",
        [Op.Fill] = "OpTransferTests",
        [Op.Drain] = "OpTransferTests",
        [Op.AllFinite] = "OpAllFiniteTests",
        [Op.Gemm] = "GemmTests",
        [Op.Gram] = "GemmTests",
        [Op.SymEig] = "LinalgTests",
        [Op.Qr] = "LinalgTests",
        [Op.CholeskySolve] = "LinalgCholeskyTests",
    };

    /// <summary>In the types that every device computes in.</summary>
    public static IEnumerable<OpCase> All => Wide;

    /// <summary>In the 16-bit types; gaps are BF16's.</summary>
    public static IEnumerable<OpCase> HalfPrecision => Narrow;

    public static IEnumerable<object[]> Names => All.Select(test => new object[] { test.Name });

    public static OpCase Get(string name) => ByName[name];

    private static IEnumerable<OpCase> Build(DType t) =>
        from test in Memory(t).Concat(Pointwise(t)).Concat(Norms(t)).Concat(Positions(t)).Concat(Attention(t))
            .Concat(AttentionBackward(t)).Concat(Mlp(t)).Concat(Loss(t)).Concat(Backward(t)).Concat(Prune(t)).Concat(Optimiser(t))
        from gap in new[] { 0, 3 }
        select test with { Gap = gap };

    private static IEnumerable<OpCase> Memory(DType t)
    {
        foreach ((int n, int d) in Sizes)
        {
            yield return new(Op.Copy, t, $"{n}x{d}", [Out(t, n, d), In(t, n, d)],
                (b, x) => b.Copy(x[0], x[1]), v => v[1].CopyTo(v[0], 0));
            yield return new(Op.Zero, t, $"{n}x{d}", [Out(t, n, d)],
                (b, x) => b.Zero(x[0]), v => Array.Clear(v[0]));
            DType[] drawn = t switch { DType.F32 => [t, DType.BF16], DType.BF16 => [], _ => [t] }; // the CPU has it in BF16 too
            foreach (DType type in drawn)
            {
                yield return new(Op.Uniform, type, $"{n}x{d}", [Out(type, n, d)],
                    (b, x) => b.Uniform(x[0], 0.03, 7UL << 40), v => Each(v[0], i => OpReference.Stored(type, OpReference.Uniform(0.03, (7UL << 40) + (ulong)i))));
            }

            yield return new(Op.Transpose, t, $"{n}x{d}", [Out(t, d, n), In(t, n, d)],
                (b, x) => b.Transpose(x[0], x[1]), v => Each(v[0], i => v[1][i % n * d + i / n]));
        }
    }

    private static IEnumerable<OpCase> Pointwise(DType t)
    {
        foreach ((int n, int d) in Sizes)
        {
            yield return new(Op.AddBias, t, $"{n}x{d}", [In(t, n, d), In(t, d)],
                (b, x) => b.AddBias(x[0], x[1]), v => Each(v[0], i => v[0][i] + v[1][i % d]));
            yield return new(Op.Add, t, $"{n}x{d}", [In(t, n, d), In(t, n, d)],
                (b, x) => b.Add(x[0], x[1]), v => Each(v[0], i => v[0][i] + v[1][i]));
            yield return new(Op.Dropout, t, $"{n}x{d}", [Out(t, n, d), In(t, n, d)],
                (b, x) => b.Dropout(x[0], x[1], 0.3, 0x123456789ABCDEF0), v => OpReference.Dropout(v[0], v[1], 0.3, 0x123456789ABCDEF0));
            yield return new(Op.Dropout, t, $"{n}x{d} in place, from row 3", [In(t, n, d)],
                (b, x) => b.Dropout(x[0], x[0], 0.05, 7, firstRow: 3), v => OpReference.Dropout(v[0], v[0], 0.05, 7, skipped: 3 * d));
            yield return new(Op.ZeroMasked, t, $"{n}x{d}", [In(t, n, d), Integers(n, i => i % 3)],
                (b, x) => b.ZeroMasked(x[0], x[1]), v => Each(v[0], i => v[1][i / d] == 0 ? 0 : v[0][i]));
        }
    }

    private static IEnumerable<OpCase> Norms(DType t)
    {
        foreach ((int n, int d) in Sizes)
        {
            yield return new(Op.RmsNorm, t, $"{n}x{d} width {d + 7}", [Out(t, n, d), In(t, n, d), In(t, d)],
                (b, x) => b.RmsNorm(x[0], x[1], x[2], Eps, d + 7), v => OpReference.RmsNorm(v[0], v[1], v[2], n, d, Eps, d + 7));
            yield return new(Op.RmsNorm, t, $"{n}x{d} no gain", [Out(t, n, d), In(t, n, d)],
                (b, x) => b.RmsNorm(x[0], x[1], null, Eps, d), v => OpReference.RmsNorm(v[0], v[1], null, n, d, Eps, d));
            yield return new(Op.LayerNorm, t, $"{n}x{d}", [Out(t, n, d), In(t, n, d), In(t, d), In(t, d)],
                (b, x) => b.LayerNorm(x[0], x[1], x[2], x[3], Eps), v => OpReference.LayerNorm(v[0], v[1], v[2], v[3], n, d, Eps));
            yield return new(Op.LayerNorm, t, $"{n}x{d} no gain, no bias", [Out(t, n, d), In(t, n, d)],
                (b, x) => b.LayerNorm(x[0], x[1], null, null, Eps), v => OpReference.LayerNorm(v[0], v[1], null, null, n, d, Eps));
        }
    }

    private static IEnumerable<OpCase> Positions(DType t)
    {
        foreach ((int n, int d) in Sizes)
        {
            const int Rows = 19;
            yield return new(Op.Embed, t, $"{n}x{d}", [Out(t, n, d), In(t, Rows, d), Integers(n, i => i * 7 % Rows)],
                (b, x) => b.Embed(x[0], x[1], x[2]), v => Each(v[0], i => v[1][(int)v[2][i / d] * d + i % d]));
            if (t == DType.F32)
            {
                yield return new(Op.Embed, t, $"{n}x{d} from BF16", [Out(t, n, d), In(DType.BF16, Rows, d), Integers(n, i => i * 7 % Rows)],
                    (b, x) => b.Embed(x[0], x[1], x[2]), v => Each(v[0], i => v[1][(int)v[2][i / d] * d + i % d]));
            }
        }

        foreach ((int n, int heads, int headDim, int half) in RopeSizes)
        {
            yield return new(Op.Rope, t, $"{n} rows, {heads} heads of {headDim}, {half} angles",
                [In(t, n, heads * headDim), In(Sum(t), n + 5, half), In(Sum(t), n + 5, half), Integers(n, i => n + 4 - i)],
                (b, x) => b.Rope(x[0], x[1], x[2], x[3], headDim), v => OpReference.Rope(v[0], v[1], v[2], v[3], n, heads, headDim, half));
        }
    }

    private static IEnumerable<OpCase> Mlp(DType t)
    {
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            foreach ((int n, int d) in Sizes)
            {
                yield return new(Op.Activate, t, $"{f} {n}x{d}", [Out(t, n, d), Spread(t, n, d, 3)],
                    (b, x) => b.Activate(x[0], x[1], f), v => Each(v[0], i => OpReference.Activate(v[1][i], f)));
                yield return new(Op.Activate, t, $"{f} {n}x{d} in place", [Spread(t, n, d, 30)],
                    (b, x) => b.Activate(x[0], x[0], f), v => Each(v[0], i => OpReference.Activate(v[0][i], f)));
                yield return new(Op.ActivateGated, t, $"{f} {n}x{d}", [Out(t, n, d), Spread(t, n, d, 3), In(t, n, d)],
                    (b, x) => b.ActivateGated(x[0], x[1], x[2], f), v => Each(v[0], i => OpReference.Activate(v[1][i], f) * v[2][i]));
                yield return new(Op.ActivateGated, t, $"{f} {n}x{d} into gate", [Spread(t, n, d, 3), In(t, n, d)],
                    (b, x) => b.ActivateGated(x[0], x[0], x[1], f), v => Each(v[0], i => OpReference.Activate(v[0][i], f) * v[1][i]));
                yield return new(Op.ActivateGated, t, $"{f} {n}x{d} into up", [Spread(t, n, d, 3), In(t, n, d)],
                    (b, x) => b.ActivateGated(x[0], x[1], x[0], f), v => Each(v[0], i => OpReference.Activate(v[1][i], f) * v[0][i]));
            }
        }
    }

    private static IEnumerable<OpCase> Loss(DType t)
    {
        foreach ((int n, int d) in Sizes.Append((2, 5003)))
        {
            yield return new(Op.Softmax, t, $"{n}x{d}", [Out(t, n, d), Spread(t, n, d, 8)],
                (b, x) => b.Softmax(x[0], x[1]), v => OpReference.Softmax(v[0], v[1], n, d));
            yield return new(Op.Softmax, t, $"{n}x{d} in place", [Spread(t, n, d, 40)],
                (b, x) => b.Softmax(x[0], x[0]), v => OpReference.Softmax(v[0], v[0], n, d));
            yield return new(Op.TokenLogProb, t, $"{n}x{d}", [Out(DType.F64, n), Spread(t, n, d, 8), Integers(n, i => i % 5 == 4 ? -100 : i * 11 % d)],
                (b, x) => b.TokenLogProb(x[0], x[1], x[2]), v => OpReference.TokenLogProb(v[0], v[1], v[2], n, d));
        }
    }

    /// <summary>What gradients of parameters, angles and statistics have beside <paramref name="t"/>.</summary>
    private static DType Sum(DType t) => t.Accumulator();

    private static void Each(double[] y, Func<int, double> value)
    {
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = value(i);
        }
    }

    /// <summary>A destination starts as NaN: whatever an op leaves unwritten or reads from it shows.</summary>
    public static Operand Out(DType dtype, params ReadOnlySpan<long> extents) => new(dtype, ShapeOf(extents), _ => double.NaN);

    public static Operand In(DType dtype, long n) => In(dtype, 1, n) with { Shape = new(n) };

    public static Operand In(DType dtype, long batch, long n, long d, int seed = 1) => Spread(dtype, batch * n, d, 1, seed) with { Shape = new(batch, n, d) };

    public static Operand In(DType dtype, long n, long d) => Spread(dtype, n, d, 1);

    /// <summary>Normal deviates times <paramref name="scale"/>, the same in every run, as exact in F32 as in F64; operands of one shape differ by their seeds.</summary>
    public static Operand Spread(DType dtype, long n, long d, double scale, int seed = 1)
    {
        var random = new Random((int)(n * 1000 + d) + seed);
        float[] values = [.. Enumerable.Range(0, (int)(n * d)).Select(_ =>
            (float)(scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
        return new(dtype, new(n, d), i => values[i]);
    }

    public static Operand Integers(long n, Func<int, int> value) => new(DType.I32, new(n), i => value(i));

    private static Shape ShapeOf(ReadOnlySpan<long> extents) => extents.Length switch
    {
        1 => new(extents[0]),
        2 => new(extents[0], extents[1]),
        _ => new(extents[0], extents[1], extents[2]),
    };
}
