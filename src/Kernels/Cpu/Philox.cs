using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four words of 32 bits from
/// a key of two and a counter of four, with no state in between. Here a stream is named by its key, and word i of it is word
/// i % 4 of counter i / 4, so any part of a stream can be drawn by anybody.
/// </summary>
internal static class Philox
{
    /// <summary>Words that are drawn together: four of each counter in a vector.</summary>
    public const int Block = 32;

    private const int Rounds = 10;
    private const ulong Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57, Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>words = the words of the stream from block <paramref name="firstBlock"/> on; whole blocks.</summary>
    [MethodImpl(InnerLoop.Options)]
    public static void Fill(Span<uint> words, ulong firstBlock, ulong key)
    {
        // in this order of the counters, 0 to 3 and 4 to 7 end up in neighbouring lanes below
        Vector512<ulong> counters = Vector512.Create(0ul, 4, 1, 5, 2, 6, 3, 7) + Vector512.Create(firstBlock * (Block / 4));
        Vector512<ulong> key0 = Vector512.Create(key), key1 = key0 >> 32;
        for (int i = 0; i < words.Length; i += Block)
        {
            Draw(words.Slice(i, Block), counters, key0, key1);
            counters += Vector512.Create(Block / 4ul);
        }
    }

    /// <summary>Eight counters at once. A word is the lower half of a lane; what is in the upper half does not matter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Draw(Span<uint> words, Vector512<ulong> counters, Vector512<ulong> key0, Vector512<ulong> key1)
    {
        Vector512<ulong> x0 = counters, x1 = counters >> 32, x2 = Vector512<ulong>.Zero, x3 = Vector512<ulong>.Zero;
        for (int round = 0; round < Rounds; round++)
        {
            Vector512<ulong> product0 = Multiply(x0, Multiplier0), product1 = Multiply(x2, Multiplier1);
            (x0, x1, x2, x3) = ((product1 >> 32) ^ x1 ^ key0, product1, (product0 >> 32) ^ x3 ^ key1, product0);
            key0 += Vector512.Create(Weyl0);
            key1 += Vector512.Create(Weyl1);
        }

        Vector512<ulong> lower = Vector512.Create(0xFFFFFFFFul), even = Vector512.Create(~0ul, 0, ~0ul, 0, ~0ul, 0, ~0ul, 0);
        Vector512<ulong> x01 = Vector512.ConditionalSelect(lower, x0, x1 << 32), x23 = Vector512.ConditionalSelect(lower, x2, x3 << 32);
        Vector512.ConditionalSelect(even, x01, Swap(x23)).AsUInt32().CopyTo(words);
        Vector512.ConditionalSelect(even, Swap(x01), x23).AsUInt32().CopyTo(words[Vector512<uint>.Count..]);
    }

    /// <summary>The 64-bit product of the lower halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Multiply(Vector512<ulong> x, ulong y)
    {
        Vector512<ulong> factor = Vector512.Create(y);
        if (Avx512F.IsSupported)
        {
            return Avx512F.Multiply(x.AsUInt32(), factor.AsUInt32());
        }

        if (Avx2.IsSupported)
        {
            return Vector512.Create(
                Avx2.Multiply(x.GetLower().AsUInt32(), factor.GetLower().AsUInt32()), Avx2.Multiply(x.GetUpper().AsUInt32(), factor.GetUpper().AsUInt32()));
        }

        return (x & Vector512.Create(0xFFFFFFFFul)) * factor;
    }

    /// <summary>Every even lane and the next one change places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Swap(Vector512<ulong> x) => Vector512.Shuffle(x, Vector512.Create(1ul, 0, 3, 2, 5, 4, 7, 6));
}
