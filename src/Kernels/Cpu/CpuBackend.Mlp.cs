using System.Numerics;
using System.Numerics.Tensors;

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

    private void Activate<T>(Tensor y, Tensor x, Tensor? up, Activation f)
        where T : unmanaged, IFloatingPointIeee754<T> => ForRows(x.Rows, 10 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            for (int i = 0; i < xn.Length; i++)
            {
                T value = T.CreateTruncating(Apply(double.CreateTruncating(xn[i]), f));
                yn[i] = up is null ? value : value * up.Row<T>(n)[i];
            }
        }
    });

    private static double Apply(double x, Activation f) => f switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => 0.5 * x * (1 + Erf.Of(x * Math.Sqrt(0.5))),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        _ => throw new ArgumentOutOfRangeException(nameof(f), f, "unknown activation"),
    };
}
