namespace NativeEngine.Model;

/// <summary>
/// What the square of an example's part of the gradient counts, so that the sum over the examples is the mean of the squared gradients of
/// their own mean losses (L4: the reference divides by the number of examples).
/// </summary>
/// <param name="Targets">of all examples; the gradient is that of the mean loss over them</param>
/// <param name="Examples">that have targets</param>
/// <param name="LossScale">factor on gradients, and on the means of their squares</param>
internal readonly record struct SquareScale(long Targets, int Examples, double LossScale)
{
    /// <summary>Factor on the square of what an example with <paramref name="targets"/> adds: its own gradient is Targets / targets times that,
    /// and a square has the loss's scale twice.</summary>
    public double Of(int targets) => Math.Pow((double)Targets / targets, 2) / Examples / LossScale;
}
