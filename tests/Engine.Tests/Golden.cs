using System.Text.Json;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>Recorded numbers of the reference implementations: JSON and safetensors files under shared/golden.</summary>
internal static class Golden
{
    public static JsonElement Json(params string[] parts)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Shared.Path(["golden", .. parts])));
        return document.RootElement.Clone();
    }

    public static GoldenTensors Tensors(params string[] parts) => new(Shared.Path(["golden", .. parts]));

    public static string Model(params string[] parts) => Shared.Path(["models", .. parts]);

    /// <summary>Asserts |found - expected| &lt;= atol + rtol |expected| and says how much of the budget was used.</summary>
    public static void Close(double expected, double found, double rtol, double atol, string what)
    {
        double budget = atol + rtol * Math.Abs(expected), error = Math.Abs(found - expected);
        Assert.True(error <= budget, $"{what}: expected {expected:R}, found {found:R}, error {error:E2} is {error / budget:F2} of the budget");
    }
}

/// <summary>The tensors of one recorded safetensors file, as doubles or ints.</summary>
internal sealed class GoldenTensors(string path)
{
    private readonly SafetensorsFile file = SafetensorsFile.Open(path);

    public bool Has(string name) => file.Tensors.ContainsKey(name);

    public double[] Doubles(string name)
    {
        TensorEntry entry = file.Tensors[name];
        byte[] raw = Bytes(entry);
        return entry.DType switch
        {
            DType.F64 => Cast<double, double>(raw, v => v),
            DType.F32 => Cast<float, double>(raw, v => v),
            _ => throw new NotSupportedException($"{name}: {entry.DType}"),
        };
    }

    public int[] Ints(string name)
    {
        TensorEntry entry = file.Tensors[name];
        byte[] raw = Bytes(entry);
        return entry.DType == DType.I32 ? Cast<int, int>(raw, v => v) : Cast<long, int>(raw, v => (int)v);
    }

    public long[] Extents(string name) => [.. Enumerable.Range(0, file.Tensors[name].Shape.Rank).Select(i => file.Tensors[name].Shape[i])];

    public TokenWindows Windows(string name, string? mask = null, int rows = int.MaxValue)
    {
        long[] extents = Extents(name);
        int width = (int)extents[^1], n = Math.Min(rows, (int)extents[0]);
        return new TokenWindows(Ints(name)[..(n * width)], mask is null ? null : Ints(mask)[..(n * width)], n, width);
    }

    private byte[] Bytes(TensorEntry entry)
    {
        var raw = new byte[entry.Bytes];
        using FileStream stream = File.OpenRead(path);
        stream.Position = entry.Offset;
        stream.ReadExactly(raw);
        return raw;
    }

    private static TTo[] Cast<TFrom, TTo>(byte[] raw, Func<TFrom, TTo> map) where TFrom : unmanaged =>
        [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, TFrom>(raw).ToArray().Select(map)];
}
