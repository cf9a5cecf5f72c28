using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>An element type of the safetensors format. Tensors hold only some of them; the size of every one is known.</summary>
/// <param name="Name">as the header spells it</param>
/// <param name="Bits">bits of one element</param>
/// <param name="DType">the type as a tensor holds it; null where none does</param>
internal sealed record StoredType(string Name, int Bits, DType? DType = null)
{
    private readonly byte[] utf8 = Encoding.UTF8.GetBytes(Name);

    /// <summary>All types, in the order of the reference: a writer stores the last ones first.</summary>
    public static ImmutableArray<StoredType> All { get; } =
    [
        new("BOOL", 8),
        new("F4", 4),
        new("F6_E2M3", 6),
        new("F6_E3M2", 6),
        new("U8", 8),
        new("I8", 8),
        new("F8_E5M2", 8),
        new("F8_E4M3", 8),
        new("F8_E8M0", 8),
        new("F8_E4M3FNUZ", 8),
        new("F8_E5M2FNUZ", 8),
        new("I16", 16),
        new("U16", 16),
        new("F16", 16, Kernels.DType.F16),
        new("BF16", 16, Kernels.DType.BF16),
        new("I32", 32, Kernels.DType.I32),
        new("U32", 32),
        new("F32", 32, Kernels.DType.F32),
        new("C64", 64),
        new("F64", 64, Kernels.DType.F64),
        new("I64", 64, Kernels.DType.I64),
        new("U64", 64),
    ];

    /// <summary>The type whose name the reader stands on; null for a name the format does not have.</summary>
    public static StoredType? Find(ref Utf8JsonReader json)
    {
        foreach (StoredType type in All)
        {
            if (json.ValueTextEquals(type.utf8))
            {
                return type;
            }
        }

        return null;
    }

    /// <summary>Position of <paramref name="dtype"/> in <see cref="All"/>.</summary>
    public static int Rank(DType dtype)
    {
        int rank = 0;
        while (All[rank].DType != dtype)
        {
            rank++;
        }

        return rank;
    }
}
