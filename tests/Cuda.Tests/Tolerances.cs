using NativeEngine.Kernels;

namespace NativeEngine.Cuda.Tests;

/// <summary>Tolerances of this assembly.</summary>
internal static class Tolerances
{
    /// <summary>Eigenvalues and orthogonality, relative to the largest: cuSOLVER, or the double's Jacobi rotations.</summary>
    public const double Factorisation = 1e-12;

    /// <summary>Sums of products in F32, relative to the largest element: blocks of <see cref="Op.Gram"/>, products.</summary>
    public const double Product = 2e-6;

    /// <summary>Log-probabilities of a forward in F32, absolute: both devices round every op.</summary>
    public const double LogProb = 5e-5;

    /// <summary>Perplexities and losses of what the two devices made of a model, relative.</summary>
    public const double Perplexity = 5e-6;

    /// <summary>Elements of gradients, of the largest one of the parameter; as the records of golden/llmpruner.</summary>
    public const double GradientTimesMax = NativeEngine.Tests.Tolerances.GradientTimesMax;

    /// <summary>Mean distance of a model in a 16-bit type from exact log-probabilities, of that of torch on the CPU: half of it where products are rounded as the double rounds.</summary>
    public const double MeanOfTorchs = 1;

    /// <summary>The largest distance of 190 tokens, likewise, which chance decides.</summary>
    public const double LargestOfTorchs = 2;

    /// <summary>
    /// Of the op table. Where one element makes a whole row, the gradient of a norm cancels down to its eps; the CPU sums that in F64, a GPU in F32.
    /// </summary>
    public static double Nmse(Op op, DType dtype) =>
        dtype == DType.F32 && op is Op.RmsNormBackward or Op.LayerNormBackward ? 1e-12 : Kernels.Tests.Tolerances.Nmse(op, dtype);

    /// <summary>Frobenius norm of the error of a gradient that passed two layers in a 16-bit type, of the gradient's own: tens of roundings.</summary>
    public static double Gradient(DType dtype) => 12 * UnitRoundoff(dtype);

    /// <summary>Perplexities and losses of what verbs make in a 16-bit type, relative to F32.</summary>
    public static double Verb(DType dtype) => 2 * UnitRoundoff(dtype);

    /// <summary>What rounding to <paramref name="dtype"/> changes at most, relative.</summary>
    private static double UnitRoundoff(DType dtype) => dtype == DType.BF16 ? 1.0 / 256 : 1.0 / 2048;
}
