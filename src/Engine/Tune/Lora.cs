using NativeEngine.Kernels;

namespace NativeEngine.Tune;

/// <summary>What all adapters of a set have in common (Hu et al. 2021).</summary>
/// <param name="Rank">r: rows of A, columns of B</param>
/// <param name="Alpha">strength</param>
/// <param name="Dropout">share of an adapter's inputs that is zeroed while training</param>
/// <param name="RankStabilized">divide by the root of the rank (Kalajdzievski 2023)</param>
public sealed record LoraConfig(int Rank, double Alpha, double Dropout = 0, bool RankStabilized = false)
{
    /// <summary>The largest rank that is read and trained.</summary>
    public const int MaxRank = 1 << 16;

    /// <summary>s in y = x W^T + s (x A^T) B^T.</summary>
    public double Scale => Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank);
}

/// <summary>The adapter of one linear map, F32. Borrows the memory of its set.</summary>
/// <param name="A">(r, in)</param>
/// <param name="B">(out, r)</param>
internal sealed record Lora(Tensor A, Tensor B);
