using System.Runtime.CompilerServices;

namespace NativeEngine.Kernels.Cpu;

/// <summary>How the innermost loops are compiled.</summary>
internal static class InnerLoop
{
    /// <summary>
    /// Optimised at the first call, because a run of seconds must not spend the first of them in tier-0 code; and never
    /// inlined, because in a large caller the accumulators end on the stack (measured: log-sum-exp then takes six times as long).
    /// </summary>
    public const MethodImplOptions Options = MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining;
}
