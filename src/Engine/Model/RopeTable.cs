using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>Cosines and sines of the rotary angles, made once and grown when a longer input arrives.</summary>
internal sealed class RopeTable(IBackend backend, RopeSpec spec, DType dtype) : IDisposable
{
    private Tensor? cos, sin;
    private int builtFor;

    /// <summary>Tables of at least <paramref name="length"/> positions for an input of that many tokens. (P, RotaryDim / 2)</summary>
    public (Tensor Cos, Tensor Sin) For(int length)
    {
        // Dynamic scaling changes the frequencies with the length of the input; every other kind only needs enough rows.
        bool exact = spec.Scaling == RopeScaling.Dynamic;
        if (cos is null || (exact ? builtFor != length && Math.Max(builtFor, length) > spec.OriginalMaxPositions : builtFor < length) || builtFor < length)
        {
            Build(length, exact ? length : Math.Max(length, 2 * builtFor));
        }

        return (cos!, sin!);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        cos?.Dispose();
        sin?.Dispose();
    }

    private void Build(int length, int rows)
    {
        double[] frequency = spec.Frequencies(length);
        var shape = new Shape(rows, frequency.Length);
        double[] cs = new double[shape.Count], ss = new double[shape.Count];
        for (int p = 0, k = 0; p < rows; p++)
        {
            foreach (double f in frequency)
            {
                (ss[k], cs[k]) = Math.SinCos(p * f);
                k++;
            }
        }

        using Tensor c = backend.Upload<double>(shape, cs), s = backend.Upload<double>(shape, ss);
        using Owned made = new();
        Tensor newCos = made.Add(backend.Alloc(dtype, shape)), newSin = made.Add(backend.Alloc(dtype, shape));
        backend.Copy(newCos, c);
        backend.Copy(newSin, s);
        Dispose();
        (cos, sin, builtFor) = made.HandOver((newCos, newSin, rows));
    }
}
