using System.Numerics;
using System.Numerics.Tensors;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Softmax(Tensor y, Tensor x)
    {
        Check.SameFloats(Op.Softmax, y, x);
        Check.SameSize(Op.Softmax, y, x);
        if (x.DType == DType.F32)
        {
            Softmax<float>(y, x);
        }
        else
        {
            Softmax<double>(y, x);
        }
    }

    /// <inheritdoc/>
    public void TokenLogProb(Tensor y, Tensor logits, Tensor targets)
    {
        Check.SameFloats(Op.TokenLogProb, logits);
        Check.OnePerRow(Op.TokenLogProb, logits, targets);
        Check.That(
            y.DType == DType.F64 && y.IsContiguous && y.Shape.Count == logits.Rows,
            Op.TokenLogProb, "y must hold one F64 per row of the logits, without gaps", y, logits);
        Check.InRange(Op.TokenLogProb, targets, int.MinValue, logits.Columns);
        if (logits.DType == DType.F32)
        {
            TokenLogProb<float>(y, logits, targets);
        }
        else
        {
            TokenLogProb<double>(y, logits, targets);
        }
    }

    private void Softmax<T>(Tensor y, Tensor x) where T : unmanaged, IFloatingPointIeee754<T> => ForRows(x.Rows, 8 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            double sum = RowReduce.Exp(yn, xn, RowReduce.Max(xn));
            TensorPrimitives.Multiply(yn, T.CreateTruncating(1 / sum), yn);
        }
    });

    private void TokenLogProb<T>(Tensor y, Tensor logits, Tensor targets)
        where T : unmanaged, IFloatingPointIeee754<T> => ForRows(logits.Rows, 8 * logits.Columns, (first, end) =>
    {
        Span<double> yn = y.AsSpan<double>();
        ReadOnlySpan<int> target = targets.AsSpan<int>();
        for (int n = (int)first; n < end; n++)
        {
            ReadOnlySpan<T> row = logits.Row<T>(n);
            yn[n] = target[n] < 0 ? 0 : double.CreateTruncating(row[target[n]]) - LogSumExp(row);
        }
    });

    /// <summary>log(sum(exp(x)))</summary>
    private static double LogSumExp<T>(ReadOnlySpan<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T max = RowReduce.Max(x);
        return double.CreateTruncating(max) + Math.Log(RowReduce.SumExp(x, max));
    }
}
