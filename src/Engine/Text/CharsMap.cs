using System.Buffers.Binary;
using System.Collections;
using System.Runtime.InteropServices;

namespace NativeEngine.Text;

/// <summary>
/// The precompiled_charsmap of SentencePiece: a double-array trie (Darts) of source strings, and a blob of NUL-terminated replacements.
/// Every node that can be reached is checked once, here.
/// </summary>
internal sealed class CharsMap
{
    private const int MaxPrefixes = 32; // SentencePiece looks at so many matching prefixes
    private readonly uint[] units;
    private readonly byte[] replacements;

    private CharsMap(uint[] units, byte[] replacements) => (this.units, this.replacements) = (units, replacements);

    /// <exception cref="EngineException">NE3133: sizes that do not fit; NE3134: a node or replacement out of range</exception>
    public static CharsMap Read(ReadOnlySpan<byte> blob, string file)
    {
        uint size = blob.Length < 4 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (blob.Length < 4 || size > blob.Length - 4 || size % 4 != 0 || size == 0)
        {
            throw Broken("NE3133", file, $"a trie of {size} bytes in {blob.Length}", "a trie of whole units, and the replacements after it");
        }

        uint[] units = MemoryMarshal.Cast<byte, uint>(blob.Slice(4, (int)size)).ToArray();
        byte[] replacements = blob[(4 + (int)size)..].ToArray();
        if (replacements.Length == 0 || replacements[^1] != 0)
        {
            throw Broken("NE3133", file, $"{replacements.Length} bytes of replacements", "replacements that end in NUL");
        }

        var map = new CharsMap(units, replacements);
        map.Check(file);
        return map;
    }

    /// <summary>The replacement of the longest known prefix of <paramref name="text"/>; false when there is none.</summary>
    public bool TryReplace(ReadOnlySpan<byte> text, out int length, out ReadOnlySpan<byte> replacement)
    {
        length = 0;
        int value = -1;
        int found = 0;
        uint node = Offset(units[0]);
        for (int i = 0; i < text.Length && text[i] != 0 && found < MaxPrefixes; i++)
        {
            node ^= text[i];
            uint unit = units[node];
            if (Label(unit) != text[i])
            {
                break;
            }

            node ^= Offset(unit);
            if (HasLeaf(unit))
            {
                (value, length) = ((int)Value(units[node]), i + 1);
                found++;
            }
        }

        replacement = value < 0 ? default : replacements.AsSpan(value, replacements.AsSpan(value).IndexOf((byte)0));
        return value >= 0;
    }

    private static uint Label(uint unit) => unit & 0x8000_00FF;

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1u << 9)) >> 6);

    private static bool HasLeaf(uint unit) => ((unit >> 8) & 1) != 0;

    private static uint Value(uint unit) => unit & 0x7FFF_FFFF;

    private void Check(string file)
    {
        var seen = new BitArray(units.Length);
        var open = new Stack<uint>();
        open.Push(Offset(units[0]));
        while (open.TryPop(out uint node))
        {
            for (uint label = 1; label < 256; label++)
            {
                uint child = node ^ label;
                if (child >= units.Length)
                {
                    throw Broken("NE3134", file, $"node {child} of {units.Length}", "every node inside the trie");
                }

                if (Label(units[child]) != label || seen[(int)child])
                {
                    continue;
                }

                seen[(int)child] = true;
                uint next = child ^ Offset(units[child]);
                if (HasLeaf(units[child]) && (next >= units.Length || Value(units[next]) >= replacements.Length))
                {
                    throw Broken("NE3134", file, $"a leaf of node {child} out of range", "every replacement inside the blob");
                }

                open.Push(next);
            }
        }
    }

    private static EngineException Broken(string code, string file, string found, string expected) => new(code, "the normalization map of the model is broken")
    {
        File = file,
        Key = "normalizer_spec.precompiled_charsmap",
        Found = found,
        Expected = expected,
        Hint = "fetch tokenizer.model again",
    };
}
