using NativeEngine.Kernels;

namespace NativeEngine.Model;

/// <summary>Tokens and what each of them should predict.</summary>
internal sealed class LabelledBatch : IDisposable
{
    /// <summary>Puts <paramref name="targets"/> beside <paramref name="tokens"/>, which it takes over.</summary>
    /// <param name="backend">device</param>
    /// <param name="tokens">B sequences of T</param>
    /// <param name="targets">the id that position n predicts; negative where none counts. N = B T</param>
    public LabelledBatch(IBackend backend, TokenBatch tokens, ReadOnlySpan<int> targets)
    {
        using Owned made = new();
        Tokens = made.Add(tokens);
        Targets = made.Add(backend.Upload(new Shape(targets.Length), targets));
        var counts = new int[tokens.Sequences];
        for (int n = 0; n < targets.Length; n++)
        {
            counts[n / tokens.Length] += targets[n] < 0 ? 0 : 1;
        }

        TargetCounts = counts;
        made.HandOver(this);
    }

    /// <summary>The inputs.</summary>
    public TokenBatch Tokens { get; }

    /// <summary>I32 (N)</summary>
    public Tensor Targets { get; }

    /// <summary>Targets of each sequence that count. (B)</summary>
    public IReadOnlyList<int> TargetCounts { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Tokens.Dispose();
        Targets.Dispose();
    }
}
