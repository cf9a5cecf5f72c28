using NativeEngine.Kernels;

namespace NativeEngine.Bench;

/// <summary>One call of an op to time.</summary>
/// <param name="Name">for the table</param>
/// <param name="Op">the op</param>
/// <param name="Run">the call</param>
internal sealed record KernelCase(string Name, Op Op, Action Run)
{
    /// <summary>Bytes that it reads and writes, where memory bounds it.</summary>
    public double Bytes { get; init; }

    /// <summary>Operations that it has to make, where arithmetic bounds it.</summary>
    public double Flops { get; init; }

    /// <summary>The type whose products have the peak that <see cref="Flops"/> is compared with.</summary>
    public DType Peak { get; init; }

    /// <summary>Attention in which half of the square counts.</summary>
    public bool Causal { get; init; }

    /// <summary>It copies between host and device.</summary>
    public bool OverBus { get; init; }

    /// <summary>It gives a value back, so that its time holds a way to the host, which no bandwidth makes shorter.</summary>
    public bool Returns { get; init; }
}

/// <summary>
/// A call of every op, on matrices of N rows and D columns. Weights and activations have the type that is asked for; statistics, angles, gradients of
/// parameters and the optimiser's state are F64 for F64 and F32 otherwise.
/// </summary>
internal sealed class KernelCases : IDisposable
{
    /// <summary>Size of the smallest attention head.</summary>
    public const int LeastHeadDim = 16;

    private const int SequenceLength = 2048, LargestFactor = 1024; // of a factorisation

    private readonly IBackend backend;
    private readonly DType real, acc;
    private readonly int rows, columns, sequence;
    private readonly List<Tensor> owned = [];
    private readonly Tensor x, y, u, v, gain, indices, mask;

    public KernelCases(IBackend backend, DType dtype, int rows, int columns)
    {
        (this.backend, real, acc, this.rows, this.columns) = (backend, dtype, dtype == DType.F64 ? DType.F64 : DType.F32, rows, columns);
        sequence = Math.Min(SequenceLength, rows);
        HeadDim = new[] { 128, 64, 32, LeastHeadDim }.First(size => columns % size == 0);
        (x, y, u, v) = (Drawn(real, rows, columns), Drawn(real, rows, columns), Drawn(real, rows, columns), Drawn(real, rows, columns));
        gain = Drawn(real, 1, columns).Reshape(new Shape(columns));
        (indices, mask) = (Own(backend.Upload<int>(new Shape(rows), [.. Enumerable.Range(0, rows)])), Own(backend.Upload<int>(new Shape(rows), new int[rows])));
    }

    /// <summary>Size of an attention head.</summary>
    public int HeadDim { get; }

    /// <summary>Those that the device has.</summary>
    public IEnumerable<KernelCase> All => Memory().Concat(Pointwise()).Concat(Norms()).Concat(Positions()).Concat(Mlp()).Concat(Loss()).Concat(Importance())
        .Concat(Products()).Concat(Attention()).Where(test => backend.Supports(test.Op, test.Op is Op.SymEig or Op.Qr or Op.CholeskySolve ? DType.F64 : real));

    /// <inheritdoc/>
    public void Dispose() => owned.ForEach(t => t.Dispose());

    private IEnumerable<KernelCase> Memory()
    {
        var host = new byte[x.Shape.Count * x.DType.Size()];
        yield return OverBus(Op.Upload, () => backend.Upload<byte>(y, host));
        yield return OverBus(Op.Download, () => backend.Download<byte>(host, x));
        yield return OverBus(Op.Fill, () => backend.Fill(y, (part, from) => host.AsSpan((int)from, part.Length).CopyTo(part)));
        yield return OverBus(Op.Drain, () => backend.Drain(x, (part, from) => part.CopyTo(host.AsSpan((int)from))).GetAwaiter().GetResult());
        yield return Bound(Op.Copy, 2, () => backend.Copy(y, x));
        yield return Bound(Op.Zero, 1, () => backend.Zero(y));
        yield return Bound(Op.Uniform, 1, () => backend.Uniform(y, 1, 0));
        Tensor transposed = Drawn(real, columns, rows);
        yield return Bound(Op.Transpose, 2, () => backend.Transpose(transposed, x));
        yield return Returning(Op.AllFinite, () => backend.AllFinite(x));
    }

    private IEnumerable<KernelCase> Pointwise()
    {
        Tensor sums = Drawn(acc, 1, columns).Reshape(new Shape(columns));
        yield return Bound(Op.AddBias, 2, () => backend.AddBias(y, gain));
        yield return Bound(Op.AddColumnSums, 1, () => backend.AddColumnSums(sums, x));
        yield return Bound(Op.Add, 3, () => backend.Add(y, x));
        yield return Bound(Op.ZeroMasked, 1, () => backend.ZeroMasked(y, mask));
        yield return Bound(Op.Dropout, 2, () => backend.Dropout(y, x, 0.1, 7));
    }

    private IEnumerable<KernelCase> Norms()
    {
        yield return Bound(Op.RmsNorm, 2, () => backend.RmsNorm(y, x, gain, 1e-5, columns));
        yield return Bound(Op.LayerNorm, 2, () => backend.LayerNorm(y, x, gain, gain, 1e-5));
        yield return Bound(Op.RmsNormBackward, 4, () => backend.RmsNormBackward(y, null, u, x, gain, 1e-5, columns));
        yield return Bound(Op.LayerNormBackward, 4, () => backend.LayerNormBackward(y, null, null, u, x, gain, 1e-5));
    }

    private IEnumerable<KernelCase> Positions()
    {
        Tensor gradient = Drawn(acc, rows, columns), cos = Drawn(acc, rows, HeadDim / 2), sin = Drawn(acc, rows, HeadDim / 2);
        yield return Bound(Op.Embed, 2, () => backend.Embed(y, x, indices));
        yield return new("EmbedBackward", Op.EmbedBackward, () => backend.EmbedBackward(gradient, x, indices)) { Bytes = x.Bytes + 2.0 * gradient.Bytes };
        yield return Bound(Op.Rope, 2, () => backend.Rope(y, cos, sin, indices, HeadDim));
    }

    private IEnumerable<KernelCase> Mlp()
    {
        yield return Bound(Op.Activate, 2, () => backend.Activate(y, x, Activation.Silu));
        yield return Bound(Op.ActivateGated, 3, () => backend.ActivateGated(y, x, u, Activation.Silu));
        yield return Bound(Op.ActivateBackward, 3, () => backend.ActivateBackward(y, x, u, Activation.Silu));
        yield return Bound(Op.ActivateGatedBackward, 5, () => backend.ActivateGatedBackward(y, v, x, u, u, Activation.Silu));
    }

    private IEnumerable<KernelCase> Loss()
    {
        Tensor loss = Own(backend.Alloc(DType.F64, new Shape(rows)));
        yield return Bound(Op.Softmax, 2, () => backend.Softmax(y, x));
        yield return Bound(Op.TokenLogProb, 1, () => backend.TokenLogProb(loss, x, mask));
        yield return Bound(Op.CrossEntropy, 2, () => backend.CrossEntropy(loss, y, mask, 1));
    }

    private IEnumerable<KernelCase> Importance()
    {
        Tensor g = Drawn(acc, rows, columns), byRow = Own(backend.Upload<double>(new Shape(rows), new double[rows]));
        Tensor byColumn = Own(backend.Upload<double>(new Shape(columns), new double[columns]));
        Tensor keptRows = Own(backend.Upload<int>(new Shape(rows / 2), [.. Enumerable.Range(0, rows / 2).Select(i => 2 * i)]));
        Tensor keptColumns = Own(backend.Upload<int>(new Shape(columns / 2), [.. Enumerable.Range(0, columns / 2).Select(i => 2 * i)]));
        double read = x.Bytes + (double)g.Bytes;
        yield return new("AddSaliency, rows", Op.AddSaliency, () => backend.AddSaliency(byRow, x, g, null, Saliency.FirstOrder, columns: false)) { Bytes = read };
        yield return new("AddSaliency, columns", Op.AddSaliency, () => backend.AddSaliency(byColumn, x, g, null, Saliency.FirstOrder, columns: true)) { Bytes = read };
        yield return new("AddSquares", Op.AddSquares, () => backend.AddSquares(g, x, 1)) { Bytes = x.Bytes + 2.0 * g.Bytes };
        double buffered = backend.IsHost ? 0 : 1; // what is kept passes through a buffer
        yield return Bound(Op.KeepRows, 1 + buffered, () => backend.KeepRows(y, keptRows));
        yield return Bound(Op.KeepColumns, 1.5 + buffered, () => backend.KeepColumns(y, keptColumns)); // every cache line is read
        yield return Returning(Op.SumOfSquares, () => backend.SumOfSquares(x));
        Tensor w = Drawn(real, rows, columns), m = Drawn(real, rows, columns), squares = Drawn(real, rows, columns);
        backend.Zero(squares);
        yield return Bound(Op.AdamW, 7, () => backend.AdamW(w, x, m, squares, new AdamWStep(1e-4, 0.9, 0.999, 1e-8, 0, 1, 1)));
    }

    private IEnumerable<KernelCase> Products()
    {
        double n = rows, d = columns;
        Tensor weight = Drawn(real, columns, columns);
        yield return new("Gemm", Op.Gemm, () => backend.Gemm(y, x, weight, transposeB: true)) { Flops = 2 * n * d * d, Peak = real };
        if (real == DType.F32)
        {
            Tensor stored = Drawn(DType.BF16, columns, columns);
            yield return new("Gemm, weight in bf16", Op.Gemm, () => backend.Gemm(y, x, stored, transposeB: true)) { Flops = 2 * n * d * d, Peak = real };
        }

        Tensor h = Own(backend.Alloc(DType.F64, new Shape(columns, columns)));
        backend.Zero(h);
        yield return new("Gram, one triangle", Op.Gram, () => backend.Gram(h, x)) { Flops = n * d * d, Peak = backend.IsHost ? DType.F64 : real };

        int size = Math.Min(columns, LargestFactor);
        double cube = Math.Pow(size, 3);
        Tensor a = Drawn(DType.F64, size, size), q = Drawn(DType.F64, size, size), values = Own(backend.Alloc(DType.F64, new Shape(size)));
        yield return new($"SymEig {size}, 9 n^3", Op.SymEig, () => backend.SymEig(values, q, a)) { Flops = 9 * cube, Peak = DType.F64 };
        yield return new($"Qr {size}", Op.Qr, () =>
        {
            backend.Uniform(a, 1, 0);
            backend.Qr(q, a);
        })
        {
            Flops = 8 * cube / 3,
            Peak = DType.F64,
        };
        Tensor ones = Own(backend.Upload<double>(new Shape(size, 1), [.. Enumerable.Repeat(1.0, size)]));
        yield return new($"CholeskySolve {size}", Op.CholeskySolve, () =>
        {
            backend.Zero(a);
            backend.Copy(a.Diagonal(), ones);
            backend.CholeskySolve(q, a);
        })
        {
            Flops = 7 * cube / 3,
            Peak = DType.F64,
        };
    }

    private IEnumerable<KernelCase> Attention()
    {
        int heads = columns / HeadDim, batch = rows / sequence, last = Math.Max(1, sequence / 8);
        var dims = new AttentionDims(heads, heads, HeadDim, sequence, 1 / Math.Sqrt(HeadDim));
        Tensor Sequences(Tensor t) => t.RowRange(0, batch * sequence).Reshape(new Shape(batch, sequence, columns));
        (Tensor q, Tensor k, Tensor w, Tensor o) = (Sequences(x), Sequences(u), Sequences(v), Sequences(y));
        Tensor logs = Own(backend.Alloc(acc, new Shape(batch, heads, sequence)));
        Tensor some = Drawn(real, batch * last, columns).Reshape(new Shape(batch, last, columns)), few = Drawn(real, batch * last, columns).Reshape(new Shape(batch, last, columns));
        Tensor one = Drawn(real, batch, columns).Reshape(new Shape(batch, 1, columns)), next = Drawn(real, batch, columns).Reshape(new Shape(batch, 1, columns));

        // Half of the square counts; of the last queries, nearly all keys do.
        double causal = 4.0 * batch * columns * sequence * (sequence + 1) / 2, late = 4.0 * batch * columns * last * (sequence - (last - 1) / 2.0);
        yield return new($"Attention, {sequence} causal", Op.Attention, () => backend.Attention(o, logs, q, k, w, null, null, dims)) { Flops = causal, Peak = real, Causal = true };
        yield return new($"Attention, the last {last} of {sequence}", Op.Attention, () => backend.Attention(few, null, some, k, w, null, null, dims)) { Flops = late, Peak = real };
        yield return new($"Attention, 1 of {sequence}", Op.Attention, () => backend.Attention(next, null, one, k, w, null, null, dims)) { Bytes = k.Bytes + (double)w.Bytes };
        Tensor dk = Sequences(Drawn(real, rows, columns)), dv = Sequences(Drawn(real, rows, columns)), dq = Sequences(Drawn(real, rows, columns));
        yield return new($"AttentionBackward, {sequence} causal", Op.AttentionBackward, () => backend.AttentionBackward(dq, dk, dv, q, o, logs, q, k, w, null, null, dims))
        {
            Flops = 2.5 * causal,
            Peak = real,
        };
    }

    /// <summary>A case that moves as many bytes as <paramref name="matrices"/> of x.</summary>
    private KernelCase Bound(Op op, double matrices, Action run) => new(op.ToString(), op, run) { Bytes = matrices * x.Shape.Count * x.DType.Size() };

    /// <summary>A case that moves x between host and device.</summary>
    private KernelCase OverBus(Op op, Action run) => Bound(op, 1, run) with { OverBus = true };

    /// <summary>A case that reads x and gives a value back.</summary>
    private KernelCase Returning(Op op, Action run) => Bound(op, 1, run) with { Name = $"{op}, returns a value", Returns = true };

    private Tensor Drawn(DType dtype, int n, int d)
    {
        Tensor t = Own(backend.Alloc(dtype, new Shape(n, d)));
        using Tensor drawn = backend.Alloc(acc, t.Shape);
        backend.Uniform(drawn, 1, (ulong)owned.Count << 40);
        backend.Copy(t, drawn);
        return t;
    }

    private Tensor Own(Tensor t)
    {
        owned.Add(t);
        return t;
    }
}
