using System.Diagnostics;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Model;

namespace NativeEngine.Bench;

/// <summary>Result of <c>bench decode</c>.</summary>
public sealed record DecodeBenchResult : BenchResult
{
    /// <summary>Tokens of the prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Tokens decoded one by one.</summary>
    public required int NewTokens { get; init; }

    /// <summary>Prompt tokens per second.</summary>
    public required double PromptTokensPerSecond { get; init; }

    /// <summary>New tokens per second, best of the repetitions.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Bytes of weights that every new token reads, times tokens per second.</summary>
    public required double WeightGigabytesPerSecond { get; init; }

    /// <summary>What the same device reaches reading memory and doing nothing else; copying, on a GPU.</summary>
    public required double ReadGigabytesPerSecond { get; init; }

    /// <summary>Share of that bandwidth; above one where the weights fit the caches.</summary>
    public required double ShareOfBandwidth { get; init; }
}

/// <summary>Greedy decoding with the cache, batch 1, against the memory bandwidth that bounds it.</summary>
public static class DecodeBench
{
    private const int Repetitions = 3;

    /// <summary>Decodes <paramref name="newTokens"/> behind a random prompt of <paramref name="promptTokens"/>.</summary>
    /// <param name="session">device and threads</param>
    /// <param name="folder">a model folder, or null for random weights in the shape of <paramref name="shape"/></param>
    /// <param name="shape">name of a shape, see <see cref="SyntheticModel.Shapes"/></param>
    /// <param name="promptTokens">tokens of the prompt</param>
    /// <param name="newTokens">tokens to decode</param>
    /// <exception cref="EngineException">NE2026: the model has no more positions than the prompt</exception>
    public static DecodeBenchResult Run(Session session, string? folder, string shape, int promptTokens, int newTokens)
    {
        using DeviceMeter meter = DeviceMeter.Of(session.Backend);
        using CausalModel model = SyntheticModel.Open(session, folder, shape);
        if (promptTokens >= model.Spec.MaxPositions)
        {
            throw new EngineException("NE2026", "the prompt leaves no position for a new token")
            {
                Key = "--prompt-tokens",
                Found = $"{promptTokens}",
                Expected = $"1 to {model.Spec.MaxPositions - 1}",
            };
        }

        using var generator = new Generator(session, model);
        int[] prompt = SyntheticModel.Tokens(model.Spec.Vocab, 1, promptTokens).Ids;
        double decode = 0, prefill = 0;
        int decoded = 0;
        for (int i = 0; i < Repetitions; i++)
        {
            GeneratedTokens g = generator.Greedy(prompt, newTokens, []);
            decoded = g.Ids.Count;
            decode = Math.Max(decode, g.TokensPerSecond);
            prefill = Math.Max(prefill, promptTokens / g.PromptSeconds);
        }

        // The embedding is looked up, not read through, unless it is the head as well.
        long bytes = model.WeightBytes - (model.Spec.TiedHead ? 0 : model.Outer.Embed.Bytes);
        double read = session.Backend is CpuBackend cpu ? ReadBandwidth(cpu) : meter.CopyBytesPerSecond() / 1e9;
        return new DecodeBenchResult
        {
            Command = "bench decode",
            Model = folder ?? shape,
            Device = meter.Description,
            PromptTokens = promptTokens,
            NewTokens = decoded,
            PromptTokensPerSecond = prefill,
            TokensPerSecond = decode,
            WeightGigabytesPerSecond = bytes * decode / 1e9,
            ReadGigabytesPerSecond = read,
            ShareOfBandwidth = bytes * decode / 1e9 / read,
        };
    }

    /// <summary>GB/s of summing 512 MiB, best of five.</summary>
    private static unsafe double ReadBandwidth(CpuBackend backend)
    {
        int threads = backend.Threads;
        using Tensor t = backend.Alloc(DType.F32, new Shape(1L << 27));
        backend.Zero(t);
        nint address = t.Address;
        long part = (1L << 27) / threads;
        double best = double.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, p =>
                System.Numerics.Tensors.TensorPrimitives.Sum(new ReadOnlySpan<float>((float*)address + p * part, (int)part)));
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return t.Bytes / best / 1e9;
    }
}
