using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>Blocks and threads of a launch.</summary>
/// <param name="Blocks">extents of the grid</param>
/// <param name="Threads">of a block</param>
internal readonly record struct Grid(Extents Blocks, int Threads = Grids.MaxThreads);

/// <summary>The launches that kernels.cu names, for one device.</summary>
internal sealed class Grids(CudaContext context)
{
    /// <summary>Threads of the largest block.</summary>
    public const int MaxThreads = 256;

    private const int PackBytes = 16, Warp = 32, ColumnsPerBlock = 128, RowsPerPart = 128, MostParts = 64, TileSide = 32;

    private readonly long room = (long)context.Multiprocessors * context.ThreadsPerMultiprocessor / MaxThreads; // blocks that run at a time

    /// <summary>elements(rows, columns)</summary>
    public Grid Elements(DType dtype, long rows, long columns) => new(new(Limit(Ceiling(rows * Packs(dtype, columns), MaxThreads))));

    /// <summary>rows(rows, columns)</summary>
    public Grid Rows(DType dtype, long rows, long columns)
    {
        int threads = (int)Math.Clamp(Ceiling(Packs(dtype, columns), Warp) * Warp, Warp, MaxThreads);
        return new(new((uint)Math.Min(rows, room * MaxThreads / threads)), threads);
    }

    /// <summary>columns(columns, parts)</summary>
    public static Grid Columns(long columns, long parts) => new(new((uint)Ceiling(columns, ColumnsPerBlock), (uint)parts));

    /// <summary>Parts in which the rows of a matrix are summed; they follow from the shape alone.</summary>
    public static long Parts(long rows) => Math.Clamp(Ceiling(rows, RowsPerPart), 1, MostParts);

    /// <summary>Tiles of 32 x 32, or as many blocks as there is room for.</summary>
    public Grid Tiles(long rows, long columns) => new(new(Limit(Ceiling(rows, TileSide) * Ceiling(columns, TileSide))));

    /// <summary>One block for every 1024 packs of 16 bytes, at most 1024; they follow from the shape alone.</summary>
    public static Grid Sums(DType dtype, long rows, long columns) => new(new((uint)Math.Min(1024, Ceiling(rows * Packs(dtype, columns), 1024))));

    /// <summary>One block.</summary>
    public static Grid One { get; } = new(new(1));

    /// <summary>Parts of <paramref name="size"/> that <paramref name="count"/> makes.</summary>
    public static long Ceiling(long count, long size) => (count + size - 1) / size;

    private static long Packs(DType dtype, long columns) => Ceiling(columns, PackBytes / dtype.Size());

    private uint Limit(long blocks) => (uint)Math.Min(blocks, room);
}
