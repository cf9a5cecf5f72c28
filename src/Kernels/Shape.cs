namespace NativeEngine.Kernels;

/// <summary>One to four extents, outermost first, innermost contiguous in memory.</summary>
public readonly record struct Shape
{
    private readonly long d0, d1, d2, d3;

    /// <summary>A vector of <paramref name="n"/> elements.</summary>
    public Shape(long n) : this(1, n, 1, 1, 1) { }

    /// <summary>A matrix.</summary>
    public Shape(long rows, long columns) : this(2, rows, columns, 1, 1) { }

    /// <summary>A batch of matrices.</summary>
    public Shape(long batch, long rows, long columns) : this(3, batch, rows, columns, 1) { }

    /// <summary>Two batch extents and a matrix.</summary>
    public Shape(long outer, long batch, long rows, long columns) : this(4, outer, batch, rows, columns) { }

    private Shape(int rank, long a, long b, long c, long d)
    {
        if (a < 0 || b < 0 || c < 0 || d < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(rank), "an extent is negative");
        }

        (Rank, d0, d1, d2, d3) = (rank, a, b, c, d);
    }

    /// <summary>Number of extents, 1 to 4.</summary>
    public int Rank { get; }

    /// <summary>Extent <paramref name="i"/>, outermost first.</summary>
    public long this[int i] => i < Rank
        ? i switch { 0 => d0, 1 => d1, 2 => d2, _ => d3 }
        : throw new ArgumentOutOfRangeException(nameof(i));

    /// <summary>Product of the extents; throws on overflow.</summary>
    public long Count => checked(d0 * d1 * d2 * d3);

    /// <summary>Innermost extent.</summary>
    public long Columns => this[Rank - 1];

    /// <summary>Product of all extents but the innermost: the tensor seen as a matrix.</summary>
    public long Rows => Rank switch { 1 => 1, 2 => d0, 3 => checked(d0 * d1), _ => checked(d0 * d1 * d2) };

    /// <inheritdoc/>
    public override string ToString() => Rank switch
    {
        1 => $"({d0})",
        2 => $"({d0}, {d1})",
        3 => $"({d0}, {d1}, {d2})",
        _ => $"({d0}, {d1}, {d2}, {d3})",
    };
}
