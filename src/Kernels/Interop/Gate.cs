using System.Globalization;
using System.Runtime.CompilerServices;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Interop;

/// <summary>
/// The one way to a native call: <c>gate.Check(cuStreamSynchronize(stream), $"{n} rows")</c>. C# evaluates the gate before the call behind it,
/// so a gate that is shut throws before the call is made. The facts are only put together when the call failed.
/// </summary>
internal readonly struct Gate
{
    private const long LeastToOpenLibrary = 256 << 20; // what cuBLAS and cuSOLVER load and allocate when they are opened, and a reserve

    private readonly CudaHandle? caller; // used after the call, so it is alive during the call

    private Gate(CudaHandle caller) => this.caller = caller;

    /// <summary>For calls that need no context.</summary>
    public static Gate Open
    {
        get
        {
            GpuFault.ThrowIfLatched();
            return default;
        }
    }

    /// <summary>For calls on behalf of <paramref name="caller"/>, in its context.</summary>
    public static Gate Of(CudaHandle caller)
    {
        GpuFault.ThrowIfLatched();
        ObjectDisposedException.ThrowIf(caller.IsClosed, caller);
        Gate gate = new(caller);
        if (caller.Context is { } context)
        {
            // Every time: the thread may be another than last time, and the host process may use CUDA as well.
            gate.Check(context.SetCurrent(), nameof(Native.Cuda.cuCtxSetCurrent));
        }

        return gate;
    }

    /// <summary>True for any status but success, which is 0 in every library.</summary>
    public static bool Failed<T>(T status) where T : unmanaged, Enum => Unsafe.BitCast<T, int>(status) != 0;

    /// <summary>True for success. Never throws, but remembers a fault: for what runs in finalizers.</summary>
    public static bool Quietly<T>(T status, CudaHandle caller, string call) where T : unmanaged, Enum
    {
        if (Failed(status) && Status.Of(status) is { Verdict: Verdict.Fault } fault)
        {
            GpuFault.Latch(new CudaException(fault, call, caller.Context?.Name, null));
        }

        return !Failed(status);
    }

    /// <summary>Throws a <see cref="CudaException"/> unless <paramref name="status"/> is success.</summary>
    public void Check<T>(T status, [CallerArgumentExpression(nameof(status))] string call = "") where T : unmanaged, Enum
    {
        if (Failed(status))
        {
            throw Error(status, call, null);
        }
    }

    /// <summary>The same, with sizes and shapes for the message.</summary>
    public void Check<T>(
        T status, [InterpolatedStringHandlerArgument(nameof(status))] ref Facts<T> facts, [CallerArgumentExpression(nameof(status))] string call = "")
        where T : unmanaged, Enum
    {
        if (Failed(status))
        {
            throw Error(status, call, facts.ToText());
        }
    }

    /// <summary>The same for the call that opens cuBLAS or cuSOLVER, which answers "not initialized" or "internal error" where memory is short.</summary>
    public void CheckOpened<T>(T status, [CallerArgumentExpression(nameof(status))] string call = "") where T : unmanaged, Enum
    {
        if (Failed(status))
        {
            Status read = Status.Of(status);
            bool isShort = read.Verdict is Verdict.Failed or Verdict.Unusable && MemoryInfo() is { Free: < LeastToOpenLibrary };
            throw Error(status, isShort ? read with { Verdict = Verdict.OutOfMemory } : read, call, null);
        }
    }

    /// <summary>Whether a call that found no memory is worth making again, because some was kept for later use and is returned now.</summary>
    public bool MadeRoom(CUresult status) => status == CUresult.CUDA_ERROR_OUT_OF_MEMORY && caller?.Context?.MakeRoom?.Invoke() == true;

    /// <summary>The exception for a status. Latches a fault of a context; a device that cannot even be opened takes none from this process.</summary>
    public CudaException Error<T>(T status, string call, string? facts, string? log = null) where T : unmanaged, Enum =>
        Error(status, Status.Of(status), call, facts, log);

    private CudaException Error<T>(T status, Status read, string call, string? facts, string? log = null) where T : unmanaged, Enum
    {
        string function = call.Split('(')[0];
        if (caller?.Context is not null && typeof(T) != typeof(CUresult) && FaultOfContext() is { } fault)
        {
            facts = Joined(facts, $"{function} met it and returned {read.Name} ({read.Value})");
            (read, function) = (fault, nameof(Native.Cuda.cuCtxSynchronize));
        }
        else if (caller?.Context is not null && read.Verdict == Verdict.OutOfMemory)
        {
            facts = Joined(facts, FreeMemory());
        }

        CudaException error = new(read, function, caller?.Context?.Name, facts) { Log = log };
        if (read.Verdict == Verdict.Fault && caller is not null)
        {
            GpuFault.Latch(error);
        }

        return error;
    }

    /// <summary>Why a library failed that met the fault of an earlier kernel: it only says that something failed, the driver says what.</summary>
    private static Status? FaultOfContext()
    {
        CUresult status = Native.Cuda.cuCtxSynchronize();
        return Failed(status) && Status.Of(status) is { Verdict: Verdict.Fault } fault ? fault : null;
    }

    private static string Joined(string? facts, string more) => facts is null ? more : $"{facts}, {more}";

    private static string FreeMemory() => MemoryInfo() is { } memory
        ? string.Create(CultureInfo.InvariantCulture, $"{memory.Free:N0} of {memory.Total:N0} bytes free on the device")
        : "free memory unknown";

    private static unsafe (long Free, long Total)? MemoryInfo()
    {
        nuint free, total;
        return Failed(Native.Cuda.cuMemGetInfo_v2(&free, &total)) ? null : ((long)free, (long)total);
    }
}

/// <summary>An interpolated string that is only put together when <c>status</c> is a failure.</summary>
[InterpolatedStringHandler]
internal ref struct Facts<T> where T : unmanaged, Enum
{
    private DefaultInterpolatedStringHandler text;

    public Facts(int literalLength, int formattedCount, T status, out bool failed)
    {
        failed = Gate.Failed(status);
        text = failed ? new(literalLength, formattedCount, CultureInfo.InvariantCulture) : default;
    }

    public void AppendLiteral(string value) => text.AppendLiteral(value);

    public void AppendFormatted<TValue>(TValue value, string? format = null) => text.AppendFormatted(value, format);

    public string ToText() => text.ToStringAndClear();
}
