namespace NativeEngine.Kernels.Cuda;

/// <summary>What a launch passes for one parameter of a kernel; a tensor stands for its address, null for a null pointer.</summary>
internal readonly struct Argument
{
    private readonly ParameterKind kind;
    private readonly ulong bits;

    private Argument(ParameterKind kind, ulong bits) => (this.kind, this.bits) = (kind, bits);

    /// <summary>The address of a tensor, which an op has seen from now on.</summary>
    /// <exception cref="ObjectDisposedException">its memory was given back</exception>
    public static implicit operator Argument(Tensor? value) => new(ParameterKind.Pointer, (ulong)(value?.Use() ?? 0));

    /// <summary>An int.</summary>
    public static implicit operator Argument(int value) => new(ParameterKind.Int, (uint)value);

    /// <summary>An extent or a row stride, which are int in kernels.</summary>
    public static implicit operator Argument(long value) => checked((int)value);

    /// <summary>An unsigned int.</summary>
    public static implicit operator Argument(uint value) => new(ParameterKind.UnsignedInt, value);

    /// <summary>An unsigned long long.</summary>
    public static implicit operator Argument(ulong value) => new(ParameterKind.UnsignedLong, value);

    /// <summary>A double, or a float where the kernel computes in that.</summary>
    public static implicit operator Argument(double value) => new(ParameterKind.Double, BitConverter.DoubleToUInt64Bits(value));

    /// <summary>Its bytes for a parameter, the lowest first.</summary>
    /// <param name="parameter">what the kernel declares</param>
    /// <param name="inDouble">the kernel computes in double</param>
    /// <param name="value">the bytes</param>
    /// <returns>false where it is no value for this parameter</returns>
    public bool TryEncode(ParameterKind parameter, bool inDouble, out ulong value)
    {
        value = parameter == ParameterKind.Accumulator && !inDouble ? BitConverter.SingleToUInt32Bits((float)BitConverter.UInt64BitsToDouble(bits)) : bits;
        return kind == (parameter == ParameterKind.Accumulator ? ParameterKind.Double : parameter);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{kind}";
}
