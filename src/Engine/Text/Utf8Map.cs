using System.Buffers.Binary;
using System.Numerics;

namespace NativeEngine.Text;

/// <summary>Numbers byte strings 0, 1, 2, … in order of addition. Open addressing over one blob: no allocation per key.</summary>
internal sealed class Utf8Map
{
    private byte[] blob = new byte[1024];
    private int[] ends = new int[64];
    private (uint Hash, int Entry)[] slots = new (uint, int)[256]; // entry + 1; 0 is free

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
            (uint slotHash, int entry) = slots[i];
            if (entry == 0 || (slotHash == hash && this[entry - 1].SequenceEqual(key)))
            {
                return entry - 1;
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
        }

        if (2 * Count >= slots.Length)
        {
            (uint Hash, int Entry)[] old = slots;
            slots = new (uint, int)[2 * old.Length];
            foreach ((uint Hash, int Entry) slot in old)
            {
                if (slot.Entry != 0)
                {
                    Occupy(slot);
                }
            }
        }

        key.CopyTo(blob.AsSpan(start));
        ends[Count++] = end;
        Occupy((hash, Count));
        return Count - 1;
    }

    public void Clear()
    {
        Count = 0;
        Array.Clear(slots);
    }

    private void Occupy((uint Hash, int Entry) slot)
    {
        int mask = slots.Length - 1;
        int i = (int)slot.Hash & mask;
        while (slots[i].Entry != 0)
        {
            i = (i + 1) & mask;
        }

        slots[i] = slot;
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
