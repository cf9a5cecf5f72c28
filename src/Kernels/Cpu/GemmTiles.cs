using System.Numerics;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Register widths that there are kernels for.</summary>
internal enum Isa
{
    Vector128,
    Vector256,
    Vector512,
}

/// <summary>The micro-kernels of one register width and the block sizes that suit them.</summary>
internal sealed unsafe class GemmTiles<T> where T : unmanaged, INumber<T>
{
    private static readonly GemmTiles<T>?[] Made = new GemmTiles<T>?[3]; // on demand: a table of so many kernels takes a millisecond

    private readonly delegate*<long, T*, long, T*, long, T, T, T*, long, void>[] table;

    private GemmTiles(Isa isa, int rows, delegate*<long, T*, long, T*, long, T, T, T*, long, void>[] table)
    {
        (Isa, Rows, this.table) = (isa, rows, table);
        Vector = (16 << (int)isa) / sizeof(T);
    }

    /// <summary>The widest kernels that this machine runs well.</summary>
    public static GemmTiles<T> Best { get; } = For(
        Vector512.IsHardwareAccelerated ? Isa.Vector512
        : Vector256.IsHardwareAccelerated && System.Runtime.Intrinsics.X86.Fma.IsSupported ? Isa.Vector256
        : Isa.Vector128);

    public Isa Isa { get; }

    /// <summary>Rows of the largest tile.</summary>
    public int Rows { get; }

    /// <summary>Elements of one register.</summary>
    public int Vector { get; }

    /// <summary>Columns of the widest tile, and of a packed panel of b.</summary>
    public int Columns => 2 * Vector;

    /// <summary>Distance between the steps of a packed panel of a.</summary>
    public int PanelA => (Rows + 3) & ~3;

    /// <summary>Largest inner extent of one pass: longer fp32 sums cost accuracy that the recorded numbers show, shorter ones cost speed.</summary>
    public int Depth => 384;

    /// <summary>The kernels of a given width, whether or not this machine runs them well.</summary>
    public static GemmTiles<T> For(Isa isa) => Made[(int)isa] ??= isa switch
    {
        Isa.Vector512 => new(isa, 14, FourteenRows<Vector512<T>, Simd512<T>>()),
        Isa.Vector256 => new(isa, 6, SixRows<Vector256<T>, Simd256<T>>()),
        _ => new(isa, 6, SixRows<Vector128<T>, Simd128<T>>()),
    };

    /// <summary>See <see cref="GemmTile.Run"/>; 1..<see cref="Rows"/> rows, 1 or 2 registers per row.</summary>
    public void Run(int rows, int vectors, long k, T* a, long aStep, T* b, long bStep, T alpha, T beta, T* c, long ldc) =>
        table[2 * (rows - 1) + vectors - 1](k, a, aStep, b, bStep, alpha, beta, c, ldc);

    private static delegate*<long, T*, long, T*, long, T, T, T*, long, void>[] SixRows<V, S>()
        where V : struct
        where S : ISimd<T, V> =>
    [
        &GemmTile.Run<T, V, S, N1, N1>, &GemmTile.Run<T, V, S, N1, N2>,
        &GemmTile.Run<T, V, S, N2, N1>, &GemmTile.Run<T, V, S, N2, N2>,
        &GemmTile.Run<T, V, S, N3, N1>, &GemmTile.Run<T, V, S, N3, N2>,
        &GemmTile.Run<T, V, S, N4, N1>, &GemmTile.Run<T, V, S, N4, N2>,
        &GemmTile.Run<T, V, S, N5, N1>, &GemmTile.Run<T, V, S, N5, N2>,
        &GemmTile.Run<T, V, S, N6, N1>, &GemmTile.Run<T, V, S, N6, N2>,
    ];

    private static delegate*<long, T*, long, T*, long, T, T, T*, long, void>[] FourteenRows<V, S>()
        where V : struct
        where S : ISimd<T, V> =>
    [
        &GemmTile.Run<T, V, S, N1, N1>, &GemmTile.Run<T, V, S, N1, N2>,
        &GemmTile.Run<T, V, S, N2, N1>, &GemmTile.Run<T, V, S, N2, N2>,
        &GemmTile.Run<T, V, S, N3, N1>, &GemmTile.Run<T, V, S, N3, N2>,
        &GemmTile.Run<T, V, S, N4, N1>, &GemmTile.Run<T, V, S, N4, N2>,
        &GemmTile.Run<T, V, S, N5, N1>, &GemmTile.Run<T, V, S, N5, N2>,
        &GemmTile.Run<T, V, S, N6, N1>, &GemmTile.Run<T, V, S, N6, N2>,
        &GemmTile.Run<T, V, S, N7, N1>, &GemmTile.Run<T, V, S, N7, N2>,
        &GemmTile.Run<T, V, S, N8, N1>, &GemmTile.Run<T, V, S, N8, N2>,
        &GemmTile.Run<T, V, S, N9, N1>, &GemmTile.Run<T, V, S, N9, N2>,
        &GemmTile.Run<T, V, S, N10, N1>, &GemmTile.Run<T, V, S, N10, N2>,
        &GemmTile.Run<T, V, S, N11, N1>, &GemmTile.Run<T, V, S, N11, N2>,
        &GemmTile.Run<T, V, S, N12, N1>, &GemmTile.Run<T, V, S, N12, N2>,
        &GemmTile.Run<T, V, S, N13, N1>, &GemmTile.Run<T, V, S, N13, N2>,
        &GemmTile.Run<T, V, S, N14, N1>, &GemmTile.Run<T, V, S, N14, N2>,
    ];
}
