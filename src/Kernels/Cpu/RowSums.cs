using System.Numerics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Sums along one row, accumulated in double.</summary>
internal static class RowSums
{
    /// <summary>sum(x)</summary>
    public static double Sum<T>(ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        double sum = 0;
        foreach (T value in x)
        {
            sum += double.CreateTruncating(value);
        }

        return sum;
    }

    /// <summary>sum((x - center)^2)</summary>
    public static double SumOfSquares<T>(ReadOnlySpan<T> x, double center) where T : unmanaged, INumber<T>
    {
        double sum = 0;
        foreach (T value in x)
        {
            double distance = double.CreateTruncating(value) - center;
            sum += distance * distance;
        }

        return sum;
    }
}
