using System.Runtime.CompilerServices;

namespace NativeEngine.Kernels;

/// <summary>
/// A typed view of device memory: address, shape, and the distance between rows. No maths.
/// The tensor that <see cref="IBackend.Alloc"/> returns owns its memory and gives it back on <see cref="Dispose"/>;
/// views (<see cref="RowRange"/>, <see cref="ColumnRange"/>, <see cref="Reshape"/>) borrow it and must not outlive it.
/// </summary>
public sealed class Tensor : IDisposable
{
    private readonly Tensor? owner;
    private Action<Tensor>? release;

    /// <summary>Wraps memory. Back-ends call this; <paramref name="release"/> runs once, when the owner is disposed.</summary>
    public Tensor(nint address, DType dtype, Shape shape, long rowStride, Action<Tensor>? release = null)
    {
        if (rowStride < shape.Columns)
        {
            throw new ArgumentException($"row stride {rowStride} is shorter than a row of {shape}");
        }

        (Address, DType, Shape, RowStride, this.release) = (address, dtype, shape, rowStride, release);
    }

    private Tensor(Tensor parent, nint address, Shape shape, long rowStride) : this(address, parent.DType, shape, rowStride)
    {
        parent.ThrowIfDisposed();
        owner = parent.Owner;
    }

    /// <summary>The tensor whose memory this is.</summary>
    internal Tensor Owner => owner ?? this;

    /// <summary>Whether an op has seen the memory of this owner: until then a copy to it need not wait for the device.</summary>
    internal bool IsUsed { get; private set; }

    /// <summary>Address of the first element on the tensor's device; zero once disposed.</summary>
    public nint Address { get; private set; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Extents, outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>Elements from the start of one row to the next (the leading dimension); at least <see cref="Columns"/>.</summary>
    public long RowStride { get; }

    /// <summary>Innermost extent.</summary>
    public long Columns => Shape.Columns;

    /// <summary>Product of the other extents.</summary>
    public long Rows => Shape.Rows;

    /// <summary>True when the rows follow each other without a gap.</summary>
    public bool IsContiguous => RowStride == Columns || Rows == 1;

    /// <summary>Bytes from the first to the last element.</summary>
    public long Bytes => Shape.Count == 0 ? 0 : checked(((Rows - 1) * RowStride + Columns) * DType.Size());

    /// <summary>Rows <paramref name="from"/> .. <paramref name="from"/> + <paramref name="count"/> as a matrix; borrows the memory.</summary>
    public Tensor RowRange(long from, long count)
    {
        CheckRange(from, count, Rows);
        return new Tensor(this, Address + checked((nint)(from * RowStride * DType.Size())), new Shape(count, Columns), RowStride);
    }

    /// <summary>Columns <paramref name="from"/> .. <paramref name="from"/> + <paramref name="count"/> of every row; borrows the memory.</summary>
    public Tensor ColumnRange(long from, long count)
    {
        CheckRange(from, count, Columns);
        return new Tensor(this, Address + checked((nint)(from * DType.Size())), new Shape(Rows, count), RowStride);
    }

    /// <summary>The diagonal of a square matrix, as a matrix of one column; borrows the memory. (D,1)</summary>
    public Tensor Diagonal() => Rows == Columns
        ? new Tensor(this, Address, new Shape(Rows, 1), RowStride + 1)
        : throw new InvalidOperationException($"{Shape} has no diagonal");

    /// <summary>The same elements under another shape. Rows with gaps can only be regrouped, not cut.</summary>
    public Tensor Reshape(Shape shape)
    {
        if (shape.Count != Shape.Count || (!IsContiguous && shape.Columns != Columns))
        {
            throw new ArgumentException($"cannot see {Shape} with row stride {RowStride} as {shape}");
        }

        return new Tensor(this, Address, shape, shape.Columns == Columns ? RowStride : shape.Columns);
    }

    /// <summary>The elements of a contiguous host tensor of fewer than 2^31 elements.</summary>
    public unsafe Span<T> AsSpan<T>() where T : unmanaged
    {
        if (!IsContiguous)
        {
            throw new InvalidOperationException($"{Shape} with row stride {RowStride} is not contiguous");
        }

        CheckElement<T>();
        return new Span<T>((void*)Address, checked((int)Shape.Count));
    }

    /// <summary>Row <paramref name="row"/> of a host tensor.</summary>
    public unsafe Span<T> Row<T>(long row) where T : unmanaged
    {
        CheckRange(row, 1, Rows);
        CheckElement<T>();
        return new Span<T>((T*)Address + row * RowStride, checked((int)Columns));
    }

    /// <summary>The address, for an op that sees the memory from now on.</summary>
    internal nint Use()
    {
        ThrowIfDisposed();
        Owner.IsUsed = true;
        return Address;
    }

    /// <summary>A tensor whose memory was given back has no address, which to a kernel would mean that there is no tensor.</summary>
    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf((Address == 0 || Owner.Address == 0) && Shape.Count > 0, this);

    /// <summary>Gives the memory back if this tensor owns it.</summary>
    public void Dispose()
    {
        Interlocked.Exchange(ref release, null)?.Invoke(this);
        Address = 0;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{DType}{Shape}";

    private void CheckElement<T>() where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() != DType.Size())
        {
            throw new InvalidOperationException($"a {DType} tensor does not hold {typeof(T).Name}");
        }

        ThrowIfDisposed();
    }

    private static void CheckRange(long from, long count, long extent)
    {
        if (from < 0 || count < 0 || from > extent - count)
        {
            throw new ArgumentOutOfRangeException(nameof(from), $"{from} + {count} is outside 0..{extent}");
        }
    }
}
