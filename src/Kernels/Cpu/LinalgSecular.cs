using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeEngine.Kernels.Cpu;

/// <summary>
/// Roots of 1 + rho sum_j z_j^2 / (d_j - x) = 0, with d ascending, rho positive and |z| = 1: root i lies between d_i and
/// d_{i+1}, the last one above d_{k-1} (LAPACK's dlaed4; R.-C. Li, "Solving secular equations stably and efficiently").
/// </summary>
internal static unsafe class LinalgSecular
{
    private const int MaxSteps = 100;
    private const double Epsilon = 1.1102230246251565e-16;

    /// <summary>Root i is returned; gaps[j] = d_j - root, exact to a few units in the last place. squares[j] = z_j^2.</summary>
    public static double Root(long k, long i, double* d, double* squares, double rho, double* gaps)
    {
        if (k == 1)
        {
            gaps[0] = -rho * squares[0];
            return d[0] - gaps[0];
        }

        bool last = i == k - 1;
        double inverse = 1 / rho;
        long origin;
        double shift, low, high;
        if (last)
        {
            origin = i;
            Shift(k, d, d[i], gaps);
            Sums middle = Evaluate(k, k - 2, squares, gaps, rho / 2);
            double rest = inverse + middle.Below + middle.Above
                - squares[k - 2] / (gaps[k - 2] - rho / 2) + 2 * squares[k - 1] / rho;
            (shift, low, high) = GuessLast(rest, inverse + middle.Below + middle.Above, d[k - 1] - d[k - 2], squares[k - 2], squares[k - 1], rho);
        }
        else
        {
            double gap = d[i + 1] - d[i];
            Shift(k, d, d[i], gaps);
            Sums middle = Evaluate(k, i, squares, gaps, gap / 2);
            double value = inverse + middle.Below + middle.Above;
            double rest = value + 2 * squares[i] / gap - 2 * squares[i + 1] / gap;
            origin = value >= 0 ? i : i + 1;
            shift = Guess(rest, gap, squares[i], squares[i + 1], value >= 0);
            (low, high) = value >= 0 ? (0.0, gap / 2) : (-gap / 2, 0.0);
            Shift(k, d, d[origin], gaps);
        }

        shift = Iterate(k, last ? k - 2 : i, origin, last, squares, inverse, gaps, shift, low, high);
        for (long j = 0; j < k; j++)
        {
            gaps[j] -= shift;
        }

        return d[origin] + shift;
    }

    private static double Iterate(long k, long i, long origin, bool last, double* squares, double inverse, double* gaps, double shift, double low, double high)
    {
        if (!(shift > low && shift < high))
        {
            shift = (low + high) / 2;
        }

        bool middleWay = last;
        double before = double.PositiveInfinity;
        for (int step = 0; step < MaxSteps; step++)
        {
            Sums at = Evaluate(k, i, squares, gaps, shift);
            double f = inverse + at.Below + at.Above, slope = at.SlopeBelow + at.SlopeAbove;
            double rounding = Epsilon * (8 * (Math.Abs(at.Above) + Math.Abs(at.Below)) + inverse + Math.Abs(f) + Math.Abs(shift) * slope);
            if (Math.Abs(f) <= rounding)
            {
                break;
            }

            (low, high) = f < 0 ? (shift, high) : (low, shift);
            if (!last && Math.Abs(f) > 0.1 * Math.Abs(before))
            {
                middleWay = !middleWay;
            }

            before = f;
            double next = shift + Step(f, slope, at, gaps[i] - shift, gaps[i + 1] - shift, squares[i], squares[i + 1], origin == i, middleWay, last);
            if (!(next > low && next < high))
            {
                next = (low + high) / 2;
            }

            if (next == shift || next == low || next == high)
            {
                break;
            }

            shift = next;
        }

        return shift;
    }

    /// <summary>Zero of the rational function with the two nearest poles that has f's value and slope here.</summary>
    private static double Step(
        double f, double slope, in Sums at, double left, double right, double squareLeft, double squareRight, bool originLeft, bool middleWay, bool last)
    {
        double c = middleWay ? f - left * at.SlopeBelow - right * at.SlopeAbove
            : originLeft ? f - right * slope - (left - right) * (squareLeft / left) / left
            : f - left * slope - (right - left) * (squareRight / right) / right;
        double a = (left + right) * f - left * right * slope;
        double b = left * right * f;
        double step;
        if (last)
        {
            c = Math.Abs(c);
            double root = Math.Sqrt(Math.Abs(a * a - 4 * b * c));
            step = a >= 0 ? (a + root) / (2 * c) : 2 * b / (a - root);
        }
        else
        {
            double root = Math.Sqrt(Math.Abs(a * a - 4 * b * c));
            step = a <= 0 ? (a - root) / (2 * c) : 2 * b / (a + root);
        }

        return double.IsFinite(step) && f * step < 0 ? step : -f / slope;
    }

    /// <summary>First guess from the two nearest poles, the others taken at the midpoint; relative to the nearer pole.</summary>
    private static double Guess(double rest, double gap, double squareLeft, double squareRight, bool left)
    {
        if (left)
        {
            double a = rest * gap + squareLeft + squareRight, b = squareLeft * gap;
            double root = Math.Sqrt(Math.Abs(a * a - 4 * b * rest));
            return a > 0 ? 2 * b / (a + root) : (a - root) / (2 * rest);
        }
        else
        {
            double a = rest * gap - squareLeft - squareRight, b = squareRight * gap;
            double root = Math.Sqrt(Math.Abs(a * a + 4 * b * rest));
            return a < 0 ? 2 * b / (a - root) : -(a + root) / (2 * rest);
        }
    }

    private static (double Shift, double Low, double High) GuessLast(double rest, double middle, double gap, double squareBefore, double squareLast, double rho)
    {
        // |z| is 1 up to rounding, so the bracket is a little wider than rho.
        double high = rho * (1 + 1e-10);
        if (middle <= 0 && rest <= squareBefore / (gap + rho) + squareLast / rho)
        {
            return (rho, rho / 2, high);
        }

        double a = -rest * gap + squareBefore + squareLast, b = squareLast * gap;
        double root = Math.Sqrt(a * a + 4 * b * rest);
        double shift = a < 0 ? 2 * b / (root - a) : (a + root) / (2 * rest);
        return middle <= 0 ? (shift, rho / 2, high) : (shift, 0, rho / 2);
    }

    private static void Shift(long k, double* d, double origin, double* gaps)
    {
        for (long j = 0; j < k; j++)
        {
            gaps[j] = d[j] - origin;
        }
    }

    /// <summary>The sums over the poles up to i and beyond, and their derivatives, at a distance from the origin.</summary>
    private static Sums Evaluate(long k, long i, double* squares, double* gaps, double shift)
    {
        (double below, double slopeBelow) = Sum(i + 1, squares, gaps, shift);
        (double above, double slopeAbove) = Sum(k - i - 1, squares + i + 1, gaps + i + 1, shift);
        return new Sums(below, slopeBelow, above, slopeAbove);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (double Sum, double Slope) Sum(long n, double* squares, double* gaps, double shift)
    {
        Vector512<double> sums = default, slopes = default, shifts = Vector512.Create(shift);
        long j = 0;
        for (; j <= n - 8; j += 8)
        {
            Vector512<double> inverse = Vector512<double>.One / (Vector512.Load(gaps + j) - shifts);
            Vector512<double> term = Vector512.Load(squares + j) * inverse;
            sums += term;
            slopes += term * inverse;
        }

        double sum = Vector512.Sum(sums), slope = Vector512.Sum(slopes);
        for (; j < n; j++)
        {
            double inverse = 1 / (gaps[j] - shift), term = squares[j] * inverse;
            sum += term;
            slope += term * inverse;
        }

        return (sum, slope);
    }

    private readonly record struct Sums(double Below, double SlopeBelow, double Above, double SlopeAbove);
}
