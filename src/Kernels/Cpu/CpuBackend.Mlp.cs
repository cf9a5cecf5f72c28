using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Activate(Tensor y, Tensor x, Activation f)
    {
        Check.Activate(this, y, x);
        if (x.DType == DType.F32)
        {
            Activate<float>(y, x, null, f);
        }
        else
        {
            Activate<double>(y, x, null, f);
        }
    }

    /// <inheritdoc/>
    public void ActivateGated(Tensor y, Tensor gate, Tensor up, Activation f)
    {
        Check.ActivateGated(this, y, gate, up);
        if (y.DType == DType.F32)
        {
            Activate<float>(y, gate, up, f);
        }
        else
        {
            Activate<double>(y, gate, up, f);
        }
    }

    /// <inheritdoc/>
    public void ActivateBackward(Tensor dx, Tensor dy, Tensor x, Activation f)
    {
        Check.ActivateBackward(this, dx, dy, x);
        if (x.DType == DType.F32)
        {
            ActivateBackward<float>(dx, null, dy, x, null, f);
        }
        else
        {
            ActivateBackward<double>(dx, null, dy, x, null, f);
        }
    }

    /// <inheritdoc/>
    public void ActivateGatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f)
    {
        Check.ActivateGatedBackward(this, dgate, dup, dy, gate, up);
        if (dy.DType == DType.F32)
        {
            ActivateBackward<float>(dgate, dup, dy, gate, up, f);
        }
        else
        {
            ActivateBackward<double>(dgate, dup, dy, gate, up, f);
        }
    }

    private void Activate<T>(Tensor y, Tensor x, Tensor? up, Activation f) where T : unmanaged, IFloatingPointIeee754<T>
    {
        switch (f)
        {
            case Activation.Relu:
                Activate<T, Relu>(y, x, up);
                break;
            case Activation.Silu:
                Activate<T, Silu>(y, x, up);
                break;
            case Activation.Gelu:
                Activate<T, Gelu>(y, x, up);
                break;
            case Activation.GeluTanh:
                Activate<T, GeluTanh>(y, x, up);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(f), f, "unknown activation");
        }
    }

    private void Activate<T, TActivation>(Tensor y, Tensor x, Tensor? up)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TActivation : struct, IActivation => ForRows(x.Rows, 6 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            if (up is null)
            {
                ActivateRow<T, TActivation>(y.Row<T>(n), x.Row<T>(n));
            }
            else
            {
                GateRow<T, TActivation>(y.Row<T>(n), x.Row<T>(n), up.Row<T>(n));
            }
        }
    });

    /// <summary>y = f(x)</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void ActivateRow<T, TActivation>(Span<T> y, ReadOnlySpan<T> x)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TActivation : struct, IActivation
    {
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            TActivation.Apply(Vector512.Create(x[i..])).CopyTo(y[i..]);
        }

        VectorMath.StorePartial(TActivation.Apply(VectorMath.LoadPartial(x[i..], T.Zero)), y[i..]);
    }

    /// <summary>y = f(gate) * up</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void GateRow<T, TActivation>(Span<T> y, ReadOnlySpan<T> gate, ReadOnlySpan<T> up)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TActivation : struct, IActivation
    {
        int i = 0;
        for (; i <= gate.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            (TActivation.Apply(Vector512.Create(gate[i..])) * Vector512.Create(up[i..])).CopyTo(y[i..]);
        }

        Vector512<T> rest = TActivation.Apply(VectorMath.LoadPartial(gate[i..], T.Zero)) * VectorMath.LoadPartial(up[i..], T.Zero);
        VectorMath.StorePartial(rest, y[i..]);
    }

    private void ActivateBackward<T>(Tensor dx, Tensor? dup, Tensor dy, Tensor x, Tensor? up, Activation f) where T : unmanaged, IFloatingPointIeee754<T>
    {
        switch (f)
        {
            case Activation.Relu:
                ActivateBackward<T, Relu>(dx, dup, dy, x, up);
                break;
            case Activation.Silu:
                ActivateBackward<T, Silu>(dx, dup, dy, x, up);
                break;
            case Activation.Gelu:
                ActivateBackward<T, Gelu>(dx, dup, dy, x, up);
                break;
            case Activation.GeluTanh:
                ActivateBackward<T, GeluTanh>(dx, dup, dy, x, up);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(f), f, "unknown activation");
        }
    }

    private void ActivateBackward<T, TActivation>(Tensor dx, Tensor? dup, Tensor dy, Tensor x, Tensor? up)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TActivation : struct, IActivation => ForRows(x.Rows, 8 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            if (dup is null || up is null)
            {
                ActivateRowBackward<T, TActivation>(dx.Row<T>(n), dy.Row<T>(n), x.Row<T>(n));
            }
            else
            {
                GateRowBackward<T, TActivation>(dx.Row<T>(n), dup.Row<T>(n), dy.Row<T>(n), x.Row<T>(n), up.Row<T>(n));
            }
        }
    });

    /// <summary>dx = dy f'(x)</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void ActivateRowBackward<T, TActivation>(Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> x)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TActivation : struct, IActivation
    {
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            (TActivation.Differentiate(Vector512.Create(x[i..])).Slope * Vector512.Create(dy[i..])).CopyTo(dx[i..]);
        }

        Vector512<T> slope = TActivation.Differentiate(VectorMath.LoadPartial(x[i..], T.Zero)).Slope;
        VectorMath.StorePartial(slope * VectorMath.LoadPartial(dy[i..], T.Zero), dx[i..]);
    }

    /// <summary>dgate = dy up f'(gate) and dup = dy f(gate)</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void GateRowBackward<T, TActivation>(Span<T> dgate, Span<T> dup, ReadOnlySpan<T> dy, ReadOnlySpan<T> gate, ReadOnlySpan<T> up)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TActivation : struct, IActivation
    {
        int i = 0;
        for (; i <= gate.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            (Vector512<T> value, Vector512<T> slope) = TActivation.Differentiate(Vector512.Create(gate[i..]));
            Vector512<T> d = Vector512.Create(dy[i..]), u = Vector512.Create(up[i..]);
            (d * u * slope).CopyTo(dgate[i..]);
            (d * value).CopyTo(dup[i..]);
        }

        (Vector512<T> lastValue, Vector512<T> lastSlope) = TActivation.Differentiate(VectorMath.LoadPartial(gate[i..], T.Zero));
        Vector512<T> lastD = VectorMath.LoadPartial(dy[i..], T.Zero), lastU = VectorMath.LoadPartial(up[i..], T.Zero);
        VectorMath.StorePartial(lastD * lastU * lastSlope, dgate[i..]);
        VectorMath.StorePartial(lastD * lastValue, dup[i..]);
    }
}
