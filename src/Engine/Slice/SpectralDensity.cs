using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>
/// How many eigenvalues of a symmetric X with spectrum in [-1, 1] lie above a point, by the kernel polynomial method (Weisse et al. 2006):
/// m_j = tr T_j(X) from random probes, Jackson's kernel against ringing, and the series of a step. Smooth on the scale of pi / Moments.
/// </summary>
internal sealed class SpectralDensity
{
    private const int Probes = 32;  // the count of n / 2 is off by about sqrt(n / Probes) / 2
    private const int Moments = 128;
    private readonly double[] moments;

    /// <summary>Of <paramref name="x"/> (D,D), with <paramref name="probes"/> (N,D) of independent elements, which are destroyed.</summary>
    private SpectralDensity(IBackend backend, Tensor x, Tensor probes)
    {
        long s = probes.Rows;
        using Tensor first = backend.Alloc(DType.F64, probes.Shape), dots = backend.Alloc(DType.F64, new Shape((Moments + 1) * s, s));
        Dot(0, probes, probes);
        (Tensor before, Tensor now) = (probes, first);
        backend.Gemm(now, before, x);
        for (int j = 1; j <= Moments / 2; j++)
        {
            Dot(2 * j - 1, now, before);
            Dot(2 * j, now, now);
            backend.Gemm(before, now, x, alpha: 2, beta: -1); // T_j+1 = 2 x T_j - T_j-1
            (before, now) = (now, before);
        }

        // T_2j = 2 T_j^2 - T_0 and T_2j-1 = 2 T_j T_j-1 - T_1: two moments a product.
        double[] products = backend.Download<double>(dots);
        double[] traces = [.. Enumerable.Range(0, Moments + 1).Select(j => Enumerable.Range(0, (int)s).Sum(i => products[(j * s + i) * s + i]))];
        moments = [.. Enumerable.Range(0, Moments + 1).Select(j =>
            x.Rows / traces[0] * Jackson(j) * (j < 2 ? traces[j] : 2 * traces[j] - traces[j % 2]))];

        void Dot(int slot, Tensor a, Tensor b) => backend.Gemm(dots.RowRange(slot * s, s), a, b, transposeB: true);
    }

    /// <summary>Measures <paramref name="x"/> (D,D); <paramref name="draw"/> gives random elements.</summary>
    public static SpectralDensity Of(IBackend backend, Tensor x, Func<Shape, Tensor> draw)
    {
        using Tensor probes = draw(new Shape(Probes, x.Rows));
        return new SpectralDensity(backend, x, probes);
    }

    /// <summary>Eigenvalues above <paramref name="point"/>, as an estimate.</summary>
    public double Above(double point) => AboveAngle(Math.Acos(Math.Clamp(point, -1, 1)));

    /// <summary>The point above which there are <paramref name="count"/> eigenvalues, as an estimate.</summary>
    public double Quantile(double count)
    {
        (double low, double high) = (0, Math.PI);
        while (high - low > 1e-12)
        {
            double middle = (low + high) / 2;
            (low, high) = AboveAngle(middle) < count ? (middle, high) : (low, middle);
        }

        return Math.Cos(low);
    }

    /// <summary>The step at cos(angle) has the Chebyshev coefficients 2 sin(j angle) / (pi j).</summary>
    private double AboveAngle(double angle)
    {
        double sum = moments[0] * angle / Math.PI;
        for (int j = 1; j <= Moments; j++)
        {
            sum += moments[j] * 2 * Math.Sin(j * angle) / (Math.PI * j);
        }

        return sum;
    }

    private static double Jackson(int j)
    {
        double step = Math.PI / (Moments + 2);
        return ((Moments + 2 - j) * Math.Cos(j * step) + Math.Sin(j * step) / Math.Tan(step)) / (Moments + 2);
    }
}
