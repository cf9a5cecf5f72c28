using BenchmarkDotNet.Attributes;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Bench;

/// <summary>Single ops at the sizes that slicing and decoding use, finer than <c>nativeengine bench</c>: <c>dotnet run -c Release --project tests/Bench -- --filter '*'</c>.</summary>
[ShortRunJob]
[MemoryDiagnoser]
public class OpBenchmarks : IDisposable // not sealed: BenchmarkDotNet derives from it
{
    private readonly CpuBackend cpu = new();
    private Tensor signal = null!, weight = null!, gate = null!, stacked = null!, covariance = null!, queries = null!, attended = null!, logSumExp = null!, gradients = null!, token = null!, scores = null!;

    /// <summary>Residual width: heads of 32, an MLP of 8/3 of it.</summary>
    [Params(256, 768)]
    public int Width { get; set; }

    /// <summary>Tokens of a batch of four sequences.</summary>
    [Params(2048)]
    public int Tokens { get; set; }

    /// <summary>Allocates the operands.</summary>
    [GlobalSetup]
    public void Setup()
    {
        int ffn = Width * 8 / 3;
        (signal, weight, gate, stacked) = (New(Tokens, Width), New(2 * ffn, Width), New(Tokens, ffn), New(Tokens, 2 * ffn));
        (queries, attended) = (New(Tokens, Width), New(Tokens, Width));
        (logSumExp, gradients) = (cpu.Alloc(DType.F32, new Shape(4, Width / 32, Tokens / 4)), New(Tokens, 3 * Width));
        (token, scores) = (New(1, Width), New(1, 2 * ffn));
        covariance = cpu.Alloc(DType.F64, new Shape(Width, Width));
        cpu.Zero(covariance);
        Attention();
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Dispose() => cpu.Dispose();

    /// <summary>Gate and up of an MLP over a batch.</summary>
    [Benchmark]
    public void GemmOfMlpInput() => cpu.Gemm(stacked, signal, weight, transposeB: true);

    /// <summary>The same for one token.</summary>
    [Benchmark]
    public void GemmOfOneToken() => cpu.Gemm(scores, token, weight, transposeB: true);

    /// <summary>Covariance of a batch.</summary>
    [Benchmark]
    public void Gram() => cpu.Gram(covariance, signal);

    /// <summary>Causal attention over four sequences.</summary>
    [Benchmark]
    public void Attention() =>
        cpu.Attention(Sequences(attended), logSumExp, Sequences(queries), Sequences(signal), Sequences(signal), null, null, AttentionDims);

    /// <summary>Its gradient: two and a half times the operations.</summary>
    [Benchmark]
    public void AttentionBackward() => cpu.AttentionBackward(
        Sequences(gradients.ColumnRange(0, Width)), Sequences(gradients.ColumnRange(Width, Width)), Sequences(gradients.ColumnRange(2 * Width, Width)),
        Sequences(queries), Sequences(attended), logSumExp, Sequences(queries), Sequences(signal), Sequences(signal), null, null, AttentionDims);

    /// <summary>SiLU of the gate times up.</summary>
    [Benchmark]
    public void GatedSilu() => cpu.ActivateGated(gate, stacked.ColumnRange(0, gate.Columns), stacked.ColumnRange(gate.Columns, gate.Columns), Activation.Silu);

    /// <summary>RMSNorm of a batch.</summary>
    [Benchmark]
    public void RmsNorm() => cpu.RmsNorm(attended, signal, null, 1e-5, Width);

    private AttentionDims AttentionDims => new(Width / 32, Width / 32, 32, Tokens / 4, 0.17);

    private Tensor Sequences(Tensor x) => x.Reshape(new Shape(4, Tokens / 4, x.Columns));

    private Tensor New(long rows, long columns)
    {
        Tensor t = cpu.Alloc(DType.F32, new Shape(rows, columns));
        Span<float> values = t.AsSpan<float>();
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = MathF.Sin(i);
        }

        return t;
    }
}
