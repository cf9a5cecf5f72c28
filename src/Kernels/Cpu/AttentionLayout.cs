using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Block sizes of one attention call. They follow from the shapes and the register width, never from the number of threads.
/// Per kv head the keys are packed like the first operand of a product (panels of a few keys, one step per dimension of
/// the head) and the values, padded to whole registers, behind them.
/// </summary>
internal readonly struct AttentionLayout<T>(GemmTiles<T> tiles, long queries, AttentionDims dims) where T : unmanaged, INumber<T>
{
    /// <summary>Queries that are worked on together.</summary>
    public const int QueryBlock = 64;

    /// <summary>About as many keys are worked on together: their scores and values stay in the L2 cache.</summary>
    private const int KeyBlock = 256;

    public GemmTiles<T> Tiles { get; } = tiles;

    public AttentionDims Dims { get; } = dims;

    /// <summary>Queries of one sequence.</summary>
    public long Queries { get; } = queries;

    public long QueryBlocks => (Queries + QueryBlock - 1) / QueryBlock;

    /// <summary>Keys of one panel.</summary>
    public int PanelKeys => Tiles.Rows;

    /// <summary>Elements of one panel of keys.</summary>
    public int PanelSize => Tiles.PanelA * Dims.HeadDim;

    public long Panels => (Dims.Keys + PanelKeys - 1) / PanelKeys;

    /// <summary>Keys of one block: whole panels.</summary>
    public int BlockKeys => KeyBlock / PanelKeys * PanelKeys;

    /// <summary>Dimensions of a head, rounded up to whole registers.</summary>
    public int PaddedDim => (Dims.HeadDim + Tiles.Vector - 1) / Tiles.Vector * Tiles.Vector;

    /// <summary>Elements of the packed keys of one kv head.</summary>
    public long PackedKeys => Panels * PanelSize;

    /// <summary>Elements of the packed keys and values of one kv head.</summary>
    public long PackedCount => PackedKeys + (long)Dims.Keys * PaddedDim;

    /// <summary>In the units of <see cref="CpuBackend.WorkPerPiece"/>: a vector of multiply-adds costs about as much as one element of a row loop.</summary>
    public long WorkPerQueryBlock => Math.Min(QueryBlock, Queries) * Dims.Keys * Dims.HeadDim / 4;
}
