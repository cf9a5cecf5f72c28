namespace NativeEngine.Kernels.Cpu;

public sealed partial class CpuBackend
{
    /// <summary>
    /// Work of one piece, in simple operations on one element: some microseconds, so that handing it to a thread pays.
    /// An op with less work in all runs on the caller's thread.
    /// </summary>
    private const long WorkPerPiece = 1 << 15;

    /// <summary>
    /// Runs body(first, end) over 0 .. rows - 1 in pieces of whole rows. Their size follows from the work alone, never from the
    /// number of threads, and no row is shared, so results do not depend on who runs what.
    /// </summary>
    private void ForRows(long rows, long workPerRow, Action<long, long> body) =>
        team.ForRanges(rows, Math.Max(1, WorkPerPiece / Math.Max(1, workPerRow)), body);
}
