using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels;

/// <summary>
/// A call of a CUDA library that did not succeed. NE7002: out of memory, and nothing is lost; NE8003: this driver or device cannot do it;
/// NE8004: a kernel does not compile; NE9001: the GPU context is lost, no further call is made in this process; NE9002: the call failed
/// on the device; NE1001: a defect of the engine.
/// </summary>
public sealed class CudaException : EngineException
{
    internal CudaException(Status status, string call, string? device, string? facts) : base(CodeOf(status.Verdict), Line(status, call, device, facts))
    {
        (Status, Call, Device, Facts) = (status, call, device, facts);
        (Key, Hint) = (device, HintOf(status, call));
    }

    /// <summary>The same fault, met again.</summary>
    internal CudaException(CudaException first) : base(first.Code, first.Message, first)
    {
        (Status, Call, Device, Facts) = (first.Status, first.Call, first.Device, first.Facts);
        (Key, Hint) = (first.Key, first.Hint);
    }

    /// <summary>The C function.</summary>
    public string Call { get; }

    /// <summary>"cuda:0"; null for a call that is about no device.</summary>
    public string? Device { get; }

    /// <summary>The number that it returned.</summary>
    public int StatusCode => Status.Value;

    /// <summary>The name of that number, such as CUDA_ERROR_OUT_OF_MEMORY.</summary>
    public string StatusName => Status.Name;

    /// <summary>Sizes and shapes of the call, and the free memory where it ran out.</summary>
    public string? Facts { get; }

    /// <summary>What the compiler printed, where one did.</summary>
    public string? Log { get; internal init; }

    internal Status Status { get; }

    /// <inheritdoc/>
    public override string ToString() => Log is null ? base.ToString() : $"{base.ToString()}{Environment.NewLine}{Log}";

    private static string Line(Status status, string call, string? device, string? facts) =>
        $"{call}{(device is null ? "" : $" on {device}")} returned {status.Name} ({status.Value})"
        + (status.Text is null ? "" : $": {status.Text}")
        + (facts is null ? "" : $"; {facts}");

    private static string CodeOf(Verdict verdict) => verdict switch
    {
        Verdict.OutOfMemory => "NE7002",
        Verdict.Unusable => "NE8003",
        Verdict.NotCompiled => "NE8004",
        Verdict.Fault => "NE9001",
        Verdict.Failed => "NE9002",
        _ => "NE1001",
    };

    private static string HintOf(Status status, string call) => status.Verdict switch
    {
        Verdict.OutOfMemory when call == nameof(Interop.Native.Cuda.cuDevicePrimaryCtxRetain) =>
            "free the GPU's memory, which other processes hold, and run again, or run with --device cpu",
        Verdict.Unusable when call == nameof(Interop.Native.Cuda.cuDeviceGet) => "there is no such device; doctor shows those that there are",
        Verdict.OutOfMemory => "use a smaller --batch, fewer --samples or a shorter --seqlen, free the GPU, or run with --device cpu",
        Verdict.Unusable => "update the driver and the CUDA libraries, or run with --device cpu; doctor shows what is there",
        Verdict.NotCompiled => "the GPU or NVRTC may be too old or too new; run with --device cpu; --verbose shows what the compiler said",
        Verdict.Fault => "run again, on another GPU if it happens again; nothing partial is left behind",
        Verdict.Failed => "run again, on another GPU if it happens again",
        _ => "this is a defect of the engine; --verbose shows where",
    };
}
