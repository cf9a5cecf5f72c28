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
    private readonly (ulong Key, Merge Merge)[] rules;
    private readonly int shift;

    public MergeTable(IReadOnlyCollection<(int Left, int Right, Merge Merge)> rules)
    {
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)int.Max(16, 2 * rules.Count));
        shift = 64 - BitOperations.Log2((uint)capacity);
        this.rules = new (ulong, Merge)[capacity];
        Array.Fill(this.rules, (Free, Merge.None));
        foreach ((int left, int right, Merge merge) in rules)
        {
            Rule(Key(left, right)) = (Key(left, right), merge); // the last of two equal rules holds, as in tokenizers
        }
    }

    /// <summary>The rule for two adjacent symbols; <see cref="Merge.None"/> when there is none. Symbols below zero have no rules.</summary>
    public Merge Find(int left, int right) => Rule(Key(left, right)).Merge;

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    /// <summary>The slot of a key, or the free slot where it would stand.</summary>
    private ref (ulong Key, Merge Merge) Rule(ulong key)
    {
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> shift);
        while (rules[slot].Key != key && rules[slot].Key != Free)
        {
            slot = (slot + 1) & (rules.Length - 1);
        }

        return ref rules[slot];
    }
}
