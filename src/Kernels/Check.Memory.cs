namespace NativeEngine.Kernels;

/// <summary>What the ops that move or make elements demand of their arguments.</summary>
internal static partial class Check
{
    /// <summary>Arguments of <see cref="IBackend.Fill"/>.</summary>
    public static void Fill(Tensor y, ReadPart read)
    {
        ArgumentNullException.ThrowIfNull(read);
        Alive(y);
    }

    /// <summary>Arguments of <see cref="IBackend.Drain"/>.</summary>
    public static void Drain(Tensor x, WritePart write)
    {
        ArgumentNullException.ThrowIfNull(write);
        Alive(x);
    }

    /// <summary>Arguments of <see cref="IBackend.Zero"/>.</summary>
    public static void Zero(Tensor y) => Alive(y);

    /// <summary>Arguments of <see cref="IBackend.Copy"/>.</summary>
    public static void Copy(Tensor y, Tensor x)
    {
        SameSize(Op.Copy, y, x);
        That(y.DType.IsFloat() == x.DType.IsFloat(), Op.Copy, "there is no conversion between floats and integers", y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.Uniform"/>.</summary>
    public static void Uniform(IBackend backend, Tensor y) =>
        SameFloats(backend, Op.Uniform, y);

    /// <summary>Arguments of <see cref="IBackend.Transpose"/>.</summary>
    public static void Transpose(IBackend backend, Tensor y, Tensor x)
    {
        SameFloats(backend, Op.Transpose, y, x);
        That(y.Rows == x.Columns && y.Columns == x.Rows, Op.Transpose, "y must have the columns of x as rows", y, x);
    }

    /// <summary>Arguments of <see cref="IBackend.AllFinite"/>.</summary>
    public static void AllFinite(IBackend backend, Tensor x) =>
        SameFloats(backend, Op.AllFinite, x);

    /// <summary>Arguments of <see cref="IBackend.KeepRows"/> and <see cref="IBackend.KeepColumns"/>, but for the values of the indices.</summary>
    public static void Keep(Op op, Tensor x, Tensor kept)
    {
        Alive(x, kept);
        That(kept.DType == DType.I32 && kept.IsContiguous, op, "the indices must be I32, without gaps", x, kept);
    }
}
