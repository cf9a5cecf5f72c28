using System.Numerics;

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

    private void Softmax<T>(Tensor y, Tensor x) where T : unmanaged, IFloatingPointIeee754<T> => ForRows(x.Rows, 10 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            (double max, double sum) = LogSumExp(xn);
            for (int i = 0; i < xn.Length; i++)
            {
                yn[i] = T.CreateTruncating(Math.Exp(double.CreateTruncating(xn[i]) - max) / sum);
            }
        }
    });

    private void TokenLogProb<T>(Tensor y, Tensor logits, Tensor targets)
        where T : unmanaged, IFloatingPointIeee754<T> => ForRows(logits.Rows, 10 * logits.Columns, (first, end) =>
    {
        Span<double> yn = y.AsSpan<double>();
        ReadOnlySpan<int> target = targets.AsSpan<int>();
        for (int n = (int)first; n < end; n++)
        {
            yn[n] = 0;
            if (target[n] >= 0)
            {
                ReadOnlySpan<T> row = logits.Row<T>(n);
                (double max, double sum) = LogSumExp(row);
                yn[n] = double.CreateTruncating(row[target[n]]) - max - Math.Log(sum);
            }
        }
    });

    /// <summary>max(x) and sum(exp(x - max))</summary>
    private static (double Max, double Sum) LogSumExp<T>(ReadOnlySpan<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (T value in x)
        {
            max = Math.Max(max, double.CreateTruncating(value));
        }

        foreach (T value in x)
        {
            sum += Math.Exp(double.CreateTruncating(value) - max);
        }

        return (max, sum);
    }
}
