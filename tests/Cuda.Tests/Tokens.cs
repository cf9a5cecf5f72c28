using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Cuda.Tests;

/// <summary>Windows of pseudo-random ids.</summary>
internal static class Tokens
{
    public const int Width = 33;

    public static TokenWindows Random(int vocab, int rows)
    {
        var random = new Random(17);
        return new TokenWindows([.. Enumerable.Range(0, rows * Width).Select(_ => random.Next(3, vocab))], null, rows, Width);
    }

    /// <summary>Such windows as the file of a verb's TEXT argument, in <paramref name="folder"/>.</summary>
    public static TextSource File(string folder, int vocab, int rows)
    {
        TokenWindows windows = Random(vocab, rows);
        using var cpu = new CpuBackend(1);
        using var writer = new CheckpointWriter(folder, overwrite: false, [new TensorPlan("tokens", DType.I32, new Shape(rows, Width))], name: "tokens");
        using Tensor ids = cpu.Upload<int>(new Shape(rows, Width), windows.Ids);
        writer.Write(cpu, "tokens", ids);
        writer.Commit([]);
        return new TextSource(Path.Combine(folder, "tokens.safetensors"));
    }
}
