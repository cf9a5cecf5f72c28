using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>Reading into another type, into part of a tensor, and in more than one staging block.</summary>
public sealed class ConversionTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend cpu = new(2);

    public void Dispose()
    {
        cpu.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void Floats_are_widened_and_narrowed()
    {
        using SafetensorsFile file = Open("""{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", 16);
        using Tensor exact = cpu.Alloc(DType.F32, new Shape(4)), wide = cpu.Alloc(DType.F64, new Shape(4)), narrow = cpu.Alloc(DType.BF16, new Shape(4));
        file.Read(cpu, file.Tensors["w"], exact);
        file.Read(cpu, file.Tensors["w"], wide);
        file.Read(cpu, file.Tensors["w"], narrow);
        float[] values = exact.AsSpan<float>().ToArray();
        Assert.Equal(BitConverter.ToSingle([1, 2, 3, 4]), values[0]);
        Assert.Equal(values.Select(v => (double)v), wide.AsSpan<double>().ToArray());
        Assert.Equal((ushort)((BitConverter.SingleToUInt32Bits(values[3]) + 0x8000) >> 16), narrow.AsSpan<ushort>()[3]);
    }

    [Fact]
    public void A_matrix_goes_into_columns_of_a_wider_one()
    {
        using SafetensorsFile file = Open("""{"w":{"dtype":"I32","shape":[3,2],"data_offsets":[0,24]}}""", 24);
        using Tensor wide = cpu.Alloc(DType.I32, new Shape(3, 5));
        cpu.Zero(wide);
        file.Read(cpu, file.Tensors["w"], wide.ColumnRange(1, 2));
        Assert.Equal([0, 0x04030201, 0x08070605, 0, 0], wide.Row<int>(0).ToArray());
        Assert.Equal([0, 0x14131211, 0x18171615, 0, 0], wide.Row<int>(2).ToArray());
    }

    [Theory]
    [InlineData(3_000, 3_001, false)]
    [InlineData(3, 5_000_000, true)]
    public void What_exceeds_a_staging_block_is_staged_in_tiles(int rows, int columns, bool strided)
    {
        using Tensor source = cpu.Alloc(DType.F32, new Shape(rows, columns));
        for (int n = 0; n < rows; n++)
        {
            Span<float> row = source.Row<float>(n);
            for (int d = 0; d < columns; d++)
            {
                row[d] = (n * 31 + d) % 251;
            }
        }

        using (var writer = new CheckpointWriter(folder["out"], false, [new("w", DType.F16, source.Shape)]))
        {
            writer.Write(cpu, "w", source);
            writer.Commit([]);
        }

        using Checkpoint checkpoint = Checkpoint.Open(folder["out"]);
        using Tensor target = cpu.Alloc(DType.F32, new Shape(rows, columns + 1));
        Tensor part = strided ? target.ColumnRange(0, columns) : target.ColumnRange(1, columns);
        checkpoint.Read(cpu, checkpoint.Tensors["w"], part);
        for (int n = 0; n < rows; n++)
        {
            Assert.True(source.Row<float>(n).SequenceEqual(part.Row<float>(n)), $"row {n}");
        }
    }

    [Theory]
    [InlineData(DType.I32, 2, 2, "NE4003")]
    [InlineData(DType.F32, 4, 1, "NE3040")]
    [InlineData(DType.F32, 2, 3, "NE3040")]
    public void A_destination_that_does_not_fit_is_refused(DType dtype, int rows, int columns, string code)
    {
        using SafetensorsFile file = Open("""{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}""", 16);
        using Tensor destination = cpu.Alloc(dtype, new Shape(rows, columns));
        Assert.Equal(code, Assert.Throws<EngineException>(() => file.Read(cpu, file.Tensors["w"], destination)).Code);
    }

    private SafetensorsFile Open(string header, int bytes) => SafetensorsFile.Open(folder.Write("x.safetensors", RawFile.Make(header, bytes)));
}
