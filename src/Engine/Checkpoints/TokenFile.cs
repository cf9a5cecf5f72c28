using System.Runtime.InteropServices;
using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>Token ids in a safetensors file, one window per row: <c>FILE.safetensors[:NAME[:MASK]]</c>.</summary>
internal static class TokenFile
{
    /// <summary>Tensor that is read where none is named.</summary>
    public const string DefaultName = "tokens";

    /// <summary>Mask that is read where none is named and the file has it.</summary>
    public const string DefaultMask = "attention_mask";

    /// <summary>Takes <c>FILE.safetensors[:NAME[:MASK]]</c> apart; false for any other kind of source.</summary>
    public static bool TryParse(string source, out string path, out string name, out string? mask)
    {
        const string extension = ".safetensors";
        (path, name, mask) = (source, DefaultName, null);
        int end = source.IndexOf(extension + ":", StringComparison.OrdinalIgnoreCase);
        if (end < 0)
        {
            return source.EndsWith(extension, StringComparison.OrdinalIgnoreCase);
        }

        path = source[..(end + extension.Length)];
        string[] names = source[(path.Length + 1)..].Split(':', 2);
        name = names[0].Length > 0 ? names[0] : DefaultName;
        mask = names.Length > 1 && names[1].Length > 0 ? names[1] : null;
        return true;
    }

    /// <summary>
    /// Reads the windows <paramref name="name"/> and their mask; without a <paramref name="mask"/>, <see cref="DefaultMask"/> where the
    /// file has it. Errors: NE3160 no such tensor, NE3161 not int32 or int64, NE3162 not [n, w], NE3163 an id below 0 or above 2^31 - 1,
    /// NE3164 the mask has another shape, NE3165 a mask of other than 0 and 1, NE3166 too many tokens; and those of <see cref="SafetensorsFile.Open"/>.
    /// </summary>
    public static TokenWindows Read(string path, string name = DefaultName, string? mask = null)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        TensorEntry entry = Find(file, name);
        (int rows, int width) = ((int)entry.Shape[0], (int)entry.Shape[1]);
        int[] ids = ReadIntegers(file, entry, int.MaxValue, "NE3163", "a token id is out of range");
        mask ??= file.Tensors.ContainsKey(DefaultMask) ? DefaultMask : null;
        return new TokenWindows(ids, mask is null ? null : ReadMask(file, Find(file, mask), entry), rows, width);
    }

    private static int[] ReadMask(SafetensorsFile file, TensorEntry mask, TensorEntry ids) => mask.Shape == ids.Shape
        ? ReadIntegers(file, mask, 1, "NE3165", "a mask holds something other than 0 and 1")
        : throw Errors.Rule("NE3164", file.Path, "the mask has another shape than the tokens", mask.Name, ids.Shape.ToString(), mask.Shape.ToString());

    private static TensorEntry Find(SafetensorsFile file, string name)
    {
        if (!file.Tensors.TryGetValue(name, out TensorEntry? entry))
        {
            string available = string.Join(", ", file.Tensors.Keys.Order(StringComparer.Ordinal).Take(20).Select(key => Untrusted.Quote(key)));
            throw Errors.Rule("NE3160", file.Path, "no such tensor", name, $"one of {available}", hint: "name the tensor after a colon: FILE.safetensors:NAME");
        }

        if (entry.Unsupported is not null || entry.DType.IsFloat())
        {
            throw Errors.Rule("NE3161", file.Path, "tokens are stored in a type that is none of integers", name, "I32 or I64", entry.Unsupported ?? entry.DType.ToString());
        }

        if (entry.Shape.Rank != 2)
        {
            throw Errors.Rule("NE3162", file.Path, "tokens are not stored as windows", name, "the shape (windows, width)", entry.Shape.ToString());
        }

        bool fits = entry.Shape.Count <= Array.MaxLength && entry.Shape[0] <= Array.MaxLength && entry.Shape[1] <= Array.MaxLength;
        return fits
            ? entry
            : throw Errors.Rule("NE3166", file.Path, "too many tokens in one tensor", name, $"at most {Array.MaxLength}", entry.Shape.ToString());
    }

    private static int[] ReadIntegers(SafetensorsFile file, TensorEntry entry, int largest, string code, string rule)
    {
        int[] values = new int[entry.Shape.Count];
        Span<long> block = new long[Math.Min(values.Length, 1 << 16)];
        for (int done = 0; done < values.Length; done += block.Length)
        {
            Span<long> part = block[..Math.Min(block.Length, values.Length - done)];
            ReadBlock(file, entry, done, part);
            for (int i = 0; i < part.Length; i++)
            {
                if (part[i] < 0 || part[i] > largest)
                {
                    long position = done + i;
                    throw Errors.Rule(code, file.Path, $"{rule}, at row {position / entry.Shape.Columns}, column {position % entry.Shape.Columns}", entry.Name, $"0 to {largest}", $"{part[i]}");
                }

                values[done + i] = (int)part[i];
            }
        }

        file.CheckUnchanged();
        return values;
    }

    /// <summary>Reads elements from <paramref name="first"/> on, widened to 64 bits.</summary>
    private static void ReadBlock(SafetensorsFile file, TensorEntry entry, long first, Span<long> values)
    {
        if (entry.DType == DType.I64)
        {
            file.ReadBytes(entry, first * sizeof(long), MemoryMarshal.AsBytes(values));
            return;
        }

        Span<int> narrow = MemoryMarshal.Cast<long, int>(values)[..values.Length];
        file.ReadBytes(entry, first * sizeof(int), MemoryMarshal.AsBytes(narrow));

        // From the end, because both spans begin at the same address.
        for (int i = values.Length - 1; i >= 0; i--)
        {
            values[i] = narrow[i];
        }
    }
}
