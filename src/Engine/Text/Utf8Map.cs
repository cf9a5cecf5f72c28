using System.Buffers.Binary;
using System.Numerics;

namespace NativeEngine.Text;

/// <summary>Numbers byte strings 0, 1, 2, … in order of addition. Open addressing over one blob: no allocation per key.</summary>
internal sealed class Utf8Map
{
    private byte[] blob = new byte[1024];
    private int[] ends = new int[64];
    private uint[] hashes = new uint[64];
    private int[] slots = new int[256]; // entry + 1; 0 is free

    public int Count { get; private set; }

    public int TotalBytes => Count == 0 ? 0 : ends[Count - 1];

    public ReadOnlySpan<byte> this[int entry]
    {
        get
        {
            int start = entry == 0 ? 0 : ends[entry - 1];
            return blob.AsSpan(start, ends[entry] - start);
        }
    }

    /// <summary>The number of <paramref name="key"/>, or -1. <paramref name="hash"/> can be handed to <see cref="Add"/>.</summary>
    public int Find(ReadOnlySpan<byte> key, out uint hash)
    {
        hash = Hash(key);
        int mask = slots.Length - 1;
        for (int i = (int)hash & mask; ; i = (i + 1) & mask)
        {
            int entry = slots[i] - 1;
            if (entry < 0 || (hashes[entry] == hash && this[entry].SequenceEqual(key)))
            {
                return entry;
            }
        }
    }

    /// <summary>The number of <paramref name="key"/>, or -1.</summary>
    public int Find(ReadOnlySpan<byte> key) => Find(key, out _);

    /// <summary>Adds a key that <see cref="Find(ReadOnlySpan{byte}, out uint)"/> did not find, with the hash it gave.</summary>
    public int Add(ReadOnlySpan<byte> key, uint hash)
    {
        int start = TotalBytes;
        int end = start + key.Length;
        if (end > blob.Length)
        {
            Array.Resize(ref blob, int.Max(end, 2 * blob.Length));
        }

        if (Count == ends.Length)
        {
            Array.Resize(ref ends, 2 * Count);
            Array.Resize(ref hashes, 2 * Count);
        }

        key.CopyTo(blob.AsSpan(start));
        (ends[Count], hashes[Count]) = (end, hash);
        Count++;
        if (4 * Count > 3 * slots.Length)
        {
            slots = new int[2 * slots.Length];
            for (int entry = 0; entry < Count; entry++)
            {
                Occupy(entry);
            }
        }
        else
        {
            Occupy(Count - 1);
        }

        return Count - 1;
    }

    public void Clear()
    {
        Count = 0;
        Array.Clear(slots);
    }

    private void Occupy(int entry)
    {
        int mask = slots.Length - 1;
        int i = (int)hashes[entry] & mask;
        while (slots[i] != 0)
        {
            i = (i + 1) & mask;
        }

        slots[i] = entry + 1;
    }

    /// <summary>Eight bytes at a time; the length is mixed in so that zero padding cannot collide.</summary>
    private static uint Hash(ReadOnlySpan<byte> key)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)key.Length * Multiplier;
        while (key.Length >= 8)
        {
            hash = BitOperations.RotateLeft((hash ^ BinaryPrimitives.ReadUInt64LittleEndian(key)) * Multiplier, 29);
            key = key[8..];
        }

        ulong tail = 0;
        for (int i = 0; i < key.Length; i++)
        {
            tail |= (ulong)key[i] << (8 * i);
        }

        hash = (hash ^ tail) * Multiplier;
        return (uint)(hash >> 32) ^ (uint)(hash >> 11);
    }
}
