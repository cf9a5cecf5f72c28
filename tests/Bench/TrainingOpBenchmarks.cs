using BenchmarkDotNet.Attributes;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Bench;

/// <summary>Ops of pruning and tuning that pass once over their operands: 1.57 million elements each (CrossEntropy: 8.2 million), F32.</summary>
[ShortRunJob]
public class TrainingOpBenchmarks : IDisposable // not sealed: BenchmarkDotNet derives from it
{
    private const int Rows = 2048, Width = 768, Vocabulary = 32_000;
    private static readonly AdamWStep Step = new(1e-4, 0.9, 0.999, 1e-8, 0.01, 10, 1);
    private readonly CpuBackend cpu = new();
    private Tensor x = null!, y = null!, dx = null!, dy = null!, up = null!, mean = null!, square = null!, gain = null!, dgain = null!, dbias = null!;
    private Tensor logits = null!, loss = null!, ids = null!, kept = null!, rowScores = null!, columnScores = null!;

    /// <summary>Allocates the operands.</summary>
    [GlobalSetup]
    public void Setup()
    {
        (x, y, dx, dy, up, mean, square) = (New(), New(), New(), New(), New(), New(), New());
        (gain, dgain, dbias) = (New().RowRange(0, 1), New().RowRange(0, 1), New().RowRange(0, 1));
        cpu.AddSquares(square, x, 1);
        (rowScores, columnScores) = (cpu.Alloc(DType.F64, new Shape(Rows)), cpu.Alloc(DType.F64, new Shape(Width)));
        cpu.Zero(rowScores);
        cpu.Zero(columnScores);
        (logits, loss, ids) = (cpu.Alloc(DType.F32, new Shape(256, Vocabulary)), cpu.Alloc(DType.F64, new Shape(256)), cpu.Alloc(DType.I32, new Shape(Rows)));
        cpu.Zero(logits);
        kept = cpu.Alloc(DType.I32, new Shape(Width / 4 * 3));
        for (int i = 0; i < Rows; i++)
        {
            ids.AsSpan<int>()[i] = i * 97 % Rows;
        }

        for (int i = 0; i < kept.Columns; i++)
        {
            kept.AsSpan<int>()[i] = i / 3 * 4 + i % 3;
        }
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose() => cpu.Dispose();

    /// <summary>What the memory allows: one operand read, one written.</summary>
    [Benchmark(Baseline = true)]
    public void Copy() => cpu.Copy(y, x);

    /// <summary>Gradient of a bias.</summary>
    [Benchmark]
    public void AddColumnSums() => cpu.AddColumnSums(dbias, dy);

    /// <summary>With the gradient of the gain.</summary>
    [Benchmark]
    public void RmsNormBackward() => cpu.RmsNormBackward(dx, dgain, dy, x, gain, 1e-5, Width);

    /// <summary>With the gain frozen, as under LoRA.</summary>
    [Benchmark]
    public void RmsNormBackwardFrozen() => cpu.RmsNormBackward(dx, null, dy, x, gain, 1e-5, Width);

    /// <summary>With the gradients of gain and bias.</summary>
    [Benchmark]
    public void LayerNormBackward() => cpu.LayerNormBackward(dx, dgain, dbias, dy, x, gain, 1e-5);

    /// <summary>Gradients of gate and up.</summary>
    [Benchmark]
    public void GatedSiluBackward() => cpu.ActivateGatedBackward(dx, y, dy, x, up, Activation.Silu);

    /// <summary>GELU with erf.</summary>
    [Benchmark]
    public void GeluBackward() => cpu.ActivateBackward(dx, dy, x, Activation.Gelu);

    /// <summary>256 tokens of a vocabulary of 32,000, in place.</summary>
    [Benchmark]
    public void CrossEntropy() => cpu.CrossEntropy(loss, logits, ids.Reshape(new Shape(Rows, 1)).RowRange(0, 256), 1e-3);

    /// <summary>Gradient of an embedding.</summary>
    [Benchmark]
    public void EmbedBackward() => cpu.EmbedBackward(dx, dy, ids);

    /// <summary>With w, g and h.</summary>
    [Benchmark]
    public void SaliencyOfRows() => cpu.AddSaliency(rowScores, x, dy, square, Saliency.Mixed, columns: false);

    /// <summary>With w, g and h.</summary>
    [Benchmark]
    public void SaliencyOfColumns() => cpu.AddSaliency(columnScores, x, dy, square, Saliency.Mixed, columns: true);

    /// <summary>Three of four columns stay.</summary>
    [Benchmark]
    public void KeepColumns() => cpu.KeepColumns(y, kept);

    /// <summary>Philox numbers and the selection.</summary>
    [Benchmark]
    public void Dropout() => cpu.Dropout(y, x, 0.05, 7);

    /// <summary>For clipping.</summary>
    [Benchmark]
    public double SumOfSquares() => cpu.SumOfSquares(dy);

    /// <summary>One step.</summary>
    [Benchmark]
    public void AdamW() => cpu.AdamW(y, dy, mean, square, Step);

    private Tensor New()
    {
        Tensor t = cpu.Alloc(DType.F32, new Shape(Rows, Width));
        Span<float> values = t.AsSpan<float>();
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = MathF.Sin(i);
        }

        return t;
    }
}
