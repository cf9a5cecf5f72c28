using System.Text;
using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.Nvrtc;

namespace NativeEngine.Kernels.Interop;

/// <summary>CUDA C++ to machine code, at run time. Needs neither a driver nor a device.</summary>
internal sealed unsafe class KernelCompiler : CudaHandle
{
    private readonly string name;

    /// <summary>A program of one <paramref name="source"/>, which messages call <paramref name="name"/>.</summary>
    /// <exception cref="EngineException">NE8002: NVRTC is missing</exception>
    public KernelCompiler(string source, string name) : base(null)
    {
        this.name = name;
        nint program;
        fixed (byte* sourceText = Text(source))
        fixed (byte* nameText = Text(name))
        {
            Gate.Open.Check(nvrtcCreateProgram(&program, sourceText, nameText, 0, null, null), $"{name}");
        }

        Own(program);
    }

    /// <summary>The file that compiles, and its version: what a cache of compiled code has to know.</summary>
    public static (string Path, Version Version) Identity => NativeLibs.Process.Load(Libraries.Nvrtc) is { Version: { } version } nvrtc
        ? (nvrtc.Path, version)
        : throw new InvalidOperationException("NVRTC has a version");

    /// <summary>The architectures it knows, ascending: 90 for compute capability 9.0.</summary>
    public static int[] Architectures()
    {
        int count;
        Gate.Open.Check(nvrtcGetNumSupportedArchs(&count));
        int[] architectures = new int[count];
        fixed (int* first = architectures)
        {
            Gate.Open.Check(nvrtcGetSupportedArchs(first));
        }

        return architectures;
    }

    /// <summary>Compiles; returns what the compiler printed.</summary>
    /// <exception cref="CudaException">NE8004, with the first error in the message and the rest in <see cref="CudaException.Log"/></exception>
    public string Compile(params ReadOnlySpan<string> options)
    {
        Gate gate = Gate;
        byte[] texts = Text(string.Join('\0', options!));
        byte** starts = stackalloc byte*[options.Length];
        nvrtcResult status;
        fixed (byte* text = texts)
        {
            byte* start = text;
            for (int i = 0; i < options.Length; i++)
            {
                starts[i] = start;
                start += Encoding.UTF8.GetByteCount(options[i]) + 1;
            }

            status = nvrtcCompileProgram(handle, options.Length, starts);
        }

        string log = Log();
        if (Gate.Failed(status))
        {
            string? error = log.Split('\n').FirstOrDefault(line => line.Contains("error", StringComparison.OrdinalIgnoreCase))?.Trim();
            throw gate.Error(status, nameof(nvrtcCompileProgram), error ?? $"{name}, {string.Join(' ', options!)}", log);
        }

        return log;
    }

    /// <summary>Machine code, where the architecture was sm_XY.</summary>
    public byte[] Cubin()
    {
        nuint bytes;
        Gate.Check(nvrtcGetCUBINSize(handle, &bytes), $"{name}");
        byte[] cubin = new byte[bytes];
        fixed (byte* first = cubin)
        {
            Gate.Check(nvrtcGetCUBIN(handle, first), $"{name}");
        }

        return cubin;
    }

    /// <summary>Assembly with a zero byte at its end, for a driver whose device is newer than the compiler.</summary>
    public byte[] Ptx()
    {
        nuint bytes;
        Gate.Check(nvrtcGetPTXSize(handle, &bytes), $"{name}");
        byte[] ptx = new byte[bytes];
        fixed (byte* first = ptx)
        {
            Gate.Check(nvrtcGetPTX(handle, first), $"{name}");
        }

        return ptx;
    }

    /// <inheritdoc/>
    protected override bool Destroy()
    {
        nint program = handle;
        return Gate.Quietly(nvrtcDestroyProgram(&program), this, nameof(nvrtcDestroyProgram));
    }

    private string Log()
    {
        nuint bytes;
        Gate.Check(nvrtcGetProgramLogSize(handle, &bytes), $"{name}");
        byte[] log = new byte[bytes];
        fixed (byte* first = log)
        {
            Gate.Check(nvrtcGetProgramLog(handle, first), $"{name}");
        }

        return Encoding.UTF8.GetString(log).TrimEnd('\0', '\n');
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + '\0');
}
