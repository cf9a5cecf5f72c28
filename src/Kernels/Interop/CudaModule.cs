using System.Text;
using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Cuda;

namespace NativeEngine.Kernels.Interop;

/// <summary>Compiled kernels on a device.</summary>
internal sealed unsafe class CudaModule : CudaHandle
{
    /// <summary>Loads a cubin, or PTX with a zero byte at its end, which the driver compiles.</summary>
    /// <param name="context">where to</param>
    /// <param name="image">the code</param>
    /// <param name="name">what to call it in messages</param>
    /// <exception cref="CudaException">NE8003: the code is not for this device or this driver</exception>
    public CudaModule(CudaContext context, ReadOnlySpan<byte> image, string name) : base(context)
    {
        nint module;
        CUresult status;
        Gate gate = Gate;
        fixed (byte* bytes = image)
        {
            do
            {
                status = cuModuleLoadData(&module, bytes);
            }
            while (gate.MadeRoom(status));
        }

        gate.Check(status, $"{name}, {image.Length:N0} bytes", nameof(cuModuleLoadData));

        Own(module);
    }

    /// <summary>The kernel <paramref name="name"/>, which must not outlive the module.</summary>
    public CudaKernel Kernel(string name)
    {
        nint function;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
        {
            Gate.Check(cuModuleGetFunction(&function, handle, text), $"kernel {name}");
        }

        return new CudaKernel(this, name, function);
    }

    /// <inheritdoc/>
    protected override bool Destroy() => Context!.TrySynchronize() & Gate.Quietly(cuModuleUnload(handle), this, nameof(cuModuleUnload));
}
