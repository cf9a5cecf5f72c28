using NativeEngine.Kernels;

namespace NativeEngine.Slice;

/// <summary>The spectrum of H in three parts: above the cut, below it, and a window of few eigenvalues around it.</summary>
/// <param name="S">with <paramref name="Scale"/>: the matrix with the eigenvectors of H whose eigenvalues are 1 above and -1 below (D,D)</param>
/// <param name="Scale">factor on S</param>
/// <param name="Window">its first <see cref="Inside"/> rows are the eigenvectors in the window, largest eigenvalue last; null where it is empty</param>
/// <param name="Values">eigenvalues of H in the window</param>
/// <param name="Signs">of the window's vectors: what is between -1 and 1</param>
/// <param name="Above">eigenvalues above the window, an exact count</param>
internal sealed record SpectralSplit(Tensor S, double Scale, Tensor? Window, double[] Values, double[] Signs, long Above) : IDisposable
{
    /// <summary>Eigenvalues in the window.</summary>
    public int Inside => Values.Length;

    /// <inheritdoc/>
    public void Dispose()
    {
        S.Dispose();
        Window?.Dispose();
    }
}
