using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace NativeEngine.Kernels;

/// <summary>Validates the arguments of an op before its loops start. A message names the op, the rule and every tensor of the call.</summary>
internal static partial class Check
{
    /// <summary>Throws unless <paramref name="holds"/>.</summary>
    public static void That([DoesNotReturnIf(false)] bool holds, Op op, string rule, params ReadOnlySpan<Tensor?> tensors)
    {
        if (!holds)
        {
            Throw(op, rule, tensors);
        }
    }

    /// <summary>No tensor that is given was given back: without an address it would pass for one that is absent.</summary>
    public static void Alive(params ReadOnlySpan<Tensor?> tensors)
    {
        foreach (Tensor? tensor in tensors)
        {
            tensor?.ThrowIfDisposed();
        }
    }

    /// <summary>All tensors that are given hold one type, in which <paramref name="backend"/> computes.</summary>
    public static void SameFloats(IBackend backend, Op op, params ReadOnlySpan<Tensor?> tensors)
    {
        Alive(tensors);
        DType dtype = tensors[0]!.DType;
        bool same = backend.Supports(op, dtype);
        foreach (Tensor? tensor in tensors)
        {
            same &= tensor is null || tensor.DType == dtype;
        }

        That(same, op, $"all tensors must have one type, which {backend.Name} computes in", tensors);
    }

    /// <summary>Gradients of parameters, angles and statistics beside <paramref name="x"/>: F64 beside F64, F32 beside everything else.</summary>
    public static void Accumulators(Op op, Tensor x, params ReadOnlySpan<Tensor?> tensors)
    {
        foreach (Tensor? tensor in tensors)
        {
            That(tensor is null || tensor.DType == x.DType.Accumulator(), op, $"a tensor beside {x.DType} must be {x.DType.Accumulator()}", tensor, x);
        }
    }

    /// <summary><paramref name="count"/> host values are what <paramref name="tensor"/> holds; returns how many of them make a row.</summary>
    public static int Transfer<T>(Op op, Tensor tensor, int count) where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>(), element = tensor.DType.Size();
        Alive(tensor);
        That(size == element || typeof(T) == typeof(byte), op, $"{typeof(T).Name} is not the size of an element", tensor);
        That((long)count * size == tensor.Shape.Count * element, op, $"there must be one value per element, not {count} of {size} bytes", tensor);
        return checked((int)(tensor.Columns * element / size));
    }

    /// <summary>All tensors have the same rows and columns.</summary>
    public static void SameSize(Op op, params ReadOnlySpan<Tensor?> tensors)
    {
        Alive(tensors);
        bool same = true;
        foreach (Tensor? tensor in tensors)
        {
            same &= tensor!.Rows == tensors[0]!.Rows && tensor.Columns == tensors[0]!.Columns;
        }

        That(same, op, "all tensors must have the same rows and columns", tensors);
    }

    /// <summary>A vector that is given has one element for every column of <paramref name="x"/>.</summary>
    public static void OnePerColumn(Op op, Tensor x, Tensor? vector) =>
        That(vector is null || (vector.Rows == 1 && vector.Columns == x.Columns), op, "the vector must have one element per column", x, vector);

    /// <summary>Integers, one for every row of <paramref name="x"/>.</summary>
    public static void OnePerRow(Op op, Tensor x, Tensor indices) => That(
        indices.DType == DType.I32 && indices.IsContiguous && indices.Shape.Count == x.Rows,
        op, "there must be one I32 per row, without gaps", x, indices);

    /// <summary>F64, one for every row of <paramref name="x"/>.</summary>
    public static void OneDoublePerRow(Op op, Tensor x, Tensor vector) => That(
        vector.DType == DType.F64 && vector.IsContiguous && vector.Shape.Count == x.Rows,
        op, "there must be one F64 per row, without gaps", vector, x);

    /// <summary>F64, one for every column of <paramref name="x"/>.</summary>
    public static void OneDoublePerColumn(Op op, Tensor x, Tensor vector) => That(
        vector.DType == DType.F64 && vector.Rows == 1 && vector.Columns == x.Columns, op, "there must be one F64 per column", vector, x);

    /// <summary>Integers that ascend strictly in 0 .. <paramref name="end"/> - 1.</summary>
    public static void Ascending(Op op, Tensor indices, long end)
    {
        InRange(op, indices, 0, end);
        ReadOnlySpan<int> values = indices.AsSpan<int>();
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] <= values[i - 1])
            {
                throw NotAscending(op, indices, i, values[i - 1], values[i]);
            }
        }
    }

    /// <summary>Every index lies in <paramref name="from"/> .. <paramref name="end"/> - 1.</summary>
    public static void InRange(Op op, Tensor indices, long from, long end)
    {
        ReadOnlySpan<int> values = indices.AsSpan<int>();
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] < from || values[i] >= end)
            {
                throw Outside(op, indices, i, values[i], from, end);
            }
        }
    }

    /// <summary>What to throw for an element that breaks <see cref="Ascending"/>.</summary>
    public static ArgumentException NotAscending(Op op, Tensor indices, long i, int before, int value) =>
        new($"{op}: element {i} of {indices} is {value}, not above {before} before it");

    /// <summary>What to throw for an element that breaks <see cref="InRange"/>.</summary>
    public static ArgumentException Outside(Op op, Tensor indices, long i, int value, long from, long end) =>
        new($"{op}: element {i} of {indices} is {value}, outside {from}..{end - 1}");

    [DoesNotReturn]
    private static void Throw(Op op, string rule, ReadOnlySpan<Tensor?> tensors)
    {
        var found = new List<string>();
        foreach (Tensor? tensor in tensors)
        {
            found.Add(tensor is null ? "none" : tensor.IsContiguous ? $"{tensor}" : $"{tensor} with row stride {tensor.RowStride}");
        }

        throw new ArgumentException($"{op}: {rule}; found {string.Join(", ", found)}");
    }
}
