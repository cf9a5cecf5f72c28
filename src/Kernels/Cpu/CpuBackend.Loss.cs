using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <inheritdoc/>
    public void Softmax(Tensor y, Tensor x)
    {
        Check.Softmax(this, y, x);
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
        Check.TokenLogProb(this, y, logits, targets);
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

    /// <inheritdoc/>
    public void CrossEntropy(Tensor loss, Tensor logits, Tensor targets, double scale)
    {
        Check.CrossEntropy(this, loss, logits, targets);
        Check.InRange(Op.CrossEntropy, targets, int.MinValue, logits.Columns);
        if (logits.DType == DType.F32)
        {
            CrossEntropy<float>(loss, logits, targets, scale);
        }
        else
        {
            CrossEntropy<double>(loss, logits, targets, scale);
        }
    }

    private void Softmax<T>(Tensor y, Tensor x) where T : unmanaged, IFloatingPointIeee754<T> => ForRows(x.Rows, 8 * x.Columns, (first, end) =>
    {
        for (long n = first; n < end; n++)
        {
            Span<T> yn = y.Row<T>(n);
            ReadOnlySpan<T> xn = x.Row<T>(n);
            double sum = RowReduce.Exp(yn, xn, RowReduce.Max(xn));
            RowMath.Scale(yn, yn, T.CreateTruncating(1 / sum));
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

    private void CrossEntropy<T>(Tensor loss, Tensor logits, Tensor targets, double scale)
        where T : unmanaged, IFloatingPointIeee754<T> => ForRows(logits.Rows, 12 * logits.Columns, (first, end) =>
    {
        Span<double> losses = loss.AsSpan<double>();
        ReadOnlySpan<int> target = targets.AsSpan<int>();
        for (int n = (int)first; n < end; n++)
        {
            losses[n] = CrossEntropy(logits.Row<T>(n), target[n], scale);
        }
    });

    /// <summary>The loss of one row, whose logits become its gradient.</summary>
    private static double CrossEntropy<T>(Span<T> row, int target, double scale) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (target < 0)
        {
            row.Clear();
            return 0;
        }

        (T max, double sum) = RowReduce.MaxAndSumExp<T>(row);
        double loss = Math.Log(sum) - (double.CreateTruncating(row[target]) - double.CreateTruncating(max));
        ScaledExp(row, max, T.CreateTruncating(scale / sum));
        row[target] = T.CreateTruncating(scale * (Math.Exp(-loss) - 1)); // in double, because a probability near 1 cancels
        return loss;
    }

    /// <summary>x = factor exp(x - shift)</summary>
    [MethodImpl(InnerLoop.Options)]
    private static void ScaledExp<T>(Span<T> x, T shift, T factor) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> shifts = Vector512.Create(shift), factors = Vector512.Create(factor);
        int i = 0;
        for (; i <= x.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            (VectorMath.Exp(Vector512.Create<T>(x[i..]) - shifts) * factors).CopyTo(x[i..]);
        }

        VectorMath.StorePartial(VectorMath.Exp(VectorMath.LoadPartial<T>(x[i..], T.Zero) - shifts) * factors, x[i..]);
    }

    /// <summary>log(sum(exp(x)))</summary>
    private static double LogSumExp<T>(ReadOnlySpan<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        (T max, double sum) = RowReduce.MaxAndSumExp(x);
        return double.CreateTruncating(max) + Math.Log(sum);
    }
}
