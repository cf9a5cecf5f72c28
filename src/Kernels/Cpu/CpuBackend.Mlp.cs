using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Activate(Tensor y, Tensor x, Activation f)
    {
        Check.SameFloats(Op.Activate, y, x);
        Check.SameSize(Op.Activate, y, x);
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
        Check.SameFloats(Op.ActivateGated, y, gate, up);
        Check.SameSize(Op.ActivateGated, y, gate, up);
        if (y.DType == DType.F32)
        {
            Activate<float>(y, gate, up, f);
        }
        else
        {
            Activate<double>(y, gate, up, f);
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
}
