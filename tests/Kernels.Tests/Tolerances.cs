namespace NativeEngine.Kernels.Tests;

/// <summary>
/// Every tolerance of the kernel tests, as normalised mean squared error: sum((y - expected)^2) / sum(expected^2).
/// The square root of it is the relative error: 1e-13 is five units in the last place of F32.
/// </summary>
internal static class Tolerances
{
    /// <summary>Gradients in F64 against the fourth-order difference formula.</summary>
    public const double FiniteDifference = 1e-20;

    public static double Nmse(Op op, DType dtype) => (op, dtype) switch
    {
        (Op.Copy or Op.Zero or Op.Transpose or Op.Embed, _) => 0,
        (Op.Uniform, DType.BF16 or DType.F16) => 0, // the reference rounds as well
        (Op.TokenLogProb, DType.F32) => 1e-14, // F64 result of F32 logits: only the exponentials are rounded to F32
        (Op.Attention or Op.AttentionBackward, DType.F32) => 1e-12, // the errors of the scores enter through exp
        (_, DType.F32) => 1e-13,
        (_, DType.F64) => 1e-28,
        (Op.AttentionBackward, _) => 4 * Rounding(dtype), // probabilities, their gradients and the y that comes in are rounded
        (Op.Attention, _) => 2 * Rounding(dtype), // probabilities are rounded
        (_, DType.BF16 or DType.F16) => Rounding(dtype),
        _ => 0,
    };

    /// <summary>The square of the unit roundoff, which no element exceeds: 16-bit types are computed in F32 and rounded once.</summary>
    private static double Rounding(DType dtype) => Math.Pow(dtype == DType.BF16 ? 1.0 / 256 : 1.0 / 2048, 2);
}
