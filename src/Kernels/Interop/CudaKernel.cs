using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Cuda;
using static NativeEngine.Kernels.Interop.Native.CUfunction_attribute;

namespace NativeEngine.Kernels.Interop;

/// <summary>Extents of a grid in blocks, or of a block in threads.</summary>
internal readonly record struct Extents(uint X, uint Y = 1, uint Z = 1)
{
    /// <inheritdoc/>
    public override string ToString() => $"{X} x {Y} x {Z}";
}

/// <summary>A kernel of a module, which it keeps alive.</summary>
internal sealed unsafe class CudaKernel
{
    private readonly CudaModule module;
    private readonly nint function;

    /// <summary>Called by <see cref="CudaModule.Kernel"/>.</summary>
    public CudaKernel(CudaModule module, string name, nint function) => (this.module, Name, this.function) = (module, name, function);

    /// <summary>Its name in the module.</summary>
    public string Name { get; }

    /// <summary>Registers of one thread.</summary>
    public int Registers => Attribute(CU_FUNC_ATTRIBUTE_NUM_REGS);

    /// <summary>Bytes of local memory of one thread: what did not fit in registers, and local arrays.</summary>
    public int LocalBytes => Attribute(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);

    /// <summary>Bytes of shared memory that its declarations take.</summary>
    public int StaticSharedBytes => Attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);

    /// <summary>The largest block it can be launched with.</summary>
    public int MaxThreads => Attribute(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);

    /// <summary>Puts a launch on <paramref name="stream"/>.</summary>
    /// <param name="stream">where it runs</param>
    /// <param name="grid">blocks</param>
    /// <param name="block">threads of a block</param>
    /// <param name="dynamicSharedBytes">of a block</param>
    /// <param name="arguments">for each parameter of the kernel the address of its value; read before this returns</param>
    public void Launch(CudaStream stream, Extents grid, Extents block, uint dynamicSharedBytes, void** arguments)
    {
        CUresult status;
        Gate gate = Gate.Of(module);
        do
        {
            // The driver loads a kernel when it is first launched, which takes memory.
            status = cuLaunchKernel(function, grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, dynamicSharedBytes, stream.Handle, arguments, null);
        }
        while (gate.MadeRoom(status));

        gate.Check(status, $"kernel {Name}, grid {grid}, block {block}, {dynamicSharedBytes:N0} bytes of shared memory", nameof(cuLaunchKernel));
        GC.KeepAlive(stream);
    }

    private int Attribute(CUfunction_attribute attribute)
    {
        int value;
        Gate.Of(module).Check(cuFuncGetAttribute(&value, attribute, function), $"kernel {Name}, {attribute}");
        return value;
    }
}
