using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using NativeEngine.Testing;

namespace NativeEngine.Kernels.Tests;

/// <summary>The matrices of golden/linalg: linalg.safetensors, all fp64, and linalg.json beside it.</summary>
internal sealed class LinalgReferenceData
{
    private readonly byte[] bytes;
    private readonly JsonElement header;
    private readonly int start;

    public LinalgReferenceData()
    {
        bytes = File.ReadAllBytes(Shared.Path("golden", "linalg", "linalg.safetensors"));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        header = JsonDocument.Parse(bytes.AsMemory(8, length)).RootElement;
        start = 8 + length;
    }

    /// <summary>Names of the symmetric matrices, such as goe_17.</summary>
    public IEnumerable<string> Symmetric =>
        header.EnumerateObject().Where(t => t.Name.StartsWith("lower.", StringComparison.Ordinal)).Select(t => t.Name[6..]);

    public double[] Read(string name)
    {
        JsonElement offsets = header.GetProperty(name).GetProperty("data_offsets");
        int from = offsets[0].GetInt32(), to = offsets[1].GetInt32();
        return MemoryMarshal.Cast<byte, double>(bytes.AsSpan(start + from, to - from)).ToArray();
    }
}
