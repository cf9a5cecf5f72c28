using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Cpu;

/// <summary>Packing memory of one thread; it grows to the largest product the thread has seen and lives as long as the thread.</summary>
internal sealed unsafe class GemmScratch
{
    [ThreadStatic]
    private static GemmScratch? current;

    private void* a, b;
    private nuint bytesA, bytesB;

    ~GemmScratch()
    {
        NativeMemory.AlignedFree(a);
        NativeMemory.AlignedFree(b);
    }

    /// <summary>The calling thread's memory.</summary>
    public static GemmScratch Current => current ??= new GemmScratch();

    /// <summary>Room for <paramref name="count"/> elements of packed a, 64-byte aligned; overwritten by the next call on this thread.</summary>
    public T* A<T>(long count) where T : unmanaged => (T*)Grow(ref a, ref bytesA, count * sizeof(T));

    /// <summary>The same for packed b.</summary>
    public T* B<T>(long count) where T : unmanaged => (T*)Grow(ref b, ref bytesB, count * sizeof(T));

    private static void* Grow(ref void* memory, ref nuint bytes, long wanted)
    {
        if ((nuint)wanted > bytes)
        {
            NativeMemory.AlignedFree(memory);
            memory = null;
            bytes = 0;
            memory = NativeMemory.AlignedAlloc((nuint)wanted, 64);
            bytes = (nuint)wanted;
        }

        return memory;
    }
}
