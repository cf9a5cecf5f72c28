using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Cpu;

// Numbers as types: sizeof(Nx) is x, a constant that the JIT has at hand while it reads a generic method, so that branches
// it decides are never compiled. A static property would be known only after everything behind the branch was inlined.
[StructLayout(LayoutKind.Sequential, Size = 1)]
internal readonly struct N1;

[StructLayout(LayoutKind.Sequential, Size = 2)]
internal readonly struct N2;

[StructLayout(LayoutKind.Sequential, Size = 3)]
internal readonly struct N3;

[StructLayout(LayoutKind.Sequential, Size = 4)]
internal readonly struct N4;

[StructLayout(LayoutKind.Sequential, Size = 5)]
internal readonly struct N5;

[StructLayout(LayoutKind.Sequential, Size = 6)]
internal readonly struct N6;

[StructLayout(LayoutKind.Sequential, Size = 7)]
internal readonly struct N7;

[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly struct N8;

[StructLayout(LayoutKind.Sequential, Size = 9)]
internal readonly struct N9;

[StructLayout(LayoutKind.Sequential, Size = 10)]
internal readonly struct N10;

[StructLayout(LayoutKind.Sequential, Size = 11)]
internal readonly struct N11;

[StructLayout(LayoutKind.Sequential, Size = 12)]
internal readonly struct N12;

[StructLayout(LayoutKind.Sequential, Size = 13)]
internal readonly struct N13;

[StructLayout(LayoutKind.Sequential, Size = 14)]
internal readonly struct N14;
