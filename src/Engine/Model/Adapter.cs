using NativeEngine.Kernels;

namespace NativeEngine.Model;

/// <summary>The rows of a stacked map that an adapter changes.</summary>
/// <param name="From">first row</param>
/// <param name="B">(rows, r)</param>
/// <param name="DB">its gradient, which adds up; null when it is not trained</param>
internal sealed record AdapterPart(int From, Tensor B, Tensor? DB);

/// <summary>
/// A low-rank update of a stacked map (Hu et al. 2022), y[:, part p] += scale (dropout(x) A^T)[:, p r .. (p + 1) r] B_p^T.
/// The A of all parts are stacked, so that one product serves q, k and v; they share one draw of the dropout.
/// </summary>
/// <param name="A">(parts * r, in)</param>
/// <param name="DA">its gradient, which adds up; null when it is not trained</param>
/// <param name="Parts">in the order of A's rows</param>
/// <param name="Scale">alpha / r</param>
/// <param name="Dropout">share of the inputs that training drops</param>
/// <param name="Site">tells the draws of different maps apart</param>
internal sealed record Adapter(Tensor A, Tensor? DA, IReadOnlyList<AdapterPart> Parts, double Scale, double Dropout, ulong Site)
{
    /// <summary>r</summary>
    public long Rank => A.Rows / Parts.Count;
}
