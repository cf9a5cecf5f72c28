using System.Numerics;

namespace NativeEngine.Text;

/// <summary>What a pair of adjacent symbols becomes, and how early: a smaller rank merges first.</summary>
internal readonly record struct Merge(int Rank, int Symbol)
{
    public static Merge None => new(int.MaxValue, -1);
}

/// <summary>The merge rules of a byte-pair encoding, looked up by the two symbols.</summary>
internal sealed class MergeTable
{
    private const ulong Free = ulong.MaxValue;
    private readonly ulong[] keys;
    private readonly Merge[] merges;
    private readonly int shift;

    public MergeTable(IReadOnlyCollection<(int Left, int Right, Merge Merge)> rules)
    {
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)int.Max(16, 2 * rules.Count));
        shift = 64 - BitOperations.Log2((uint)capacity);
        keys = new ulong[capacity];
        merges = new Merge[capacity];
        Array.Fill(keys, Free);
        foreach ((int left, int right, Merge merge) in rules)
        {
            int slot = Slot(Key(left, right));
            (keys[slot], merges[slot]) = (Key(left, right), merge); // the last of two equal rules holds, as in tokenizers
        }
    }

    /// <summary>The rule for two adjacent symbols; <see cref="Merge.None"/> when there is none. Symbols below zero have no rules.</summary>
    public Merge Find(int left, int right)
    {
        int slot = Slot(Key(left, right));
        return keys[slot] == Free ? Merge.None : merges[slot];
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key)
    {
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> shift);
        while (keys[slot] != key && keys[slot] != Free)
        {
            slot = (slot + 1) & (keys.Length - 1);
        }

        return slot;
    }
}
