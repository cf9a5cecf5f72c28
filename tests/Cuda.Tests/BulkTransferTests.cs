using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Kernels.Interop;

namespace NativeEngine.Cuda.Tests;

/// <summary>Copies beside the work: in the right order with it, and whole. On the double a stream runs when it is waited for, so an order that nobody asked for shows.</summary>
[Collection(DeviceCollection.Name)]
public sealed class BulkTransferTests
{
    private const int Count = 12_000_000; // more bytes than all pinned blocks together

    [SkippableTheory]
    [InlineData(1, Count)]
    [InlineData(5, 33)]
    [InlineData(3, 1_400_001)]
    public async Task Bytes_go_to_the_device_and_back(int rows, int columns)
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Alloc(DType.F32, new Shape(rows, columns));
        device.Fill(x, (part, from) => Pattern(part, from, 1));
        byte[] back = new byte[(long)rows * columns * sizeof(float)];
        await device.Drain(x, (part, from) => part.CopyTo(back.AsSpan((int)from)));
        byte[] expected = new byte[back.Length];
        Pattern(expected, 0, 1);
        Assert.True(expected.AsSpan().SequenceEqual(back));
        Device.CheckReport("transfer");
    }

    [SkippableFact]
    public void Work_waits_for_the_copy_and_the_copy_for_the_work_that_had_the_memory()
    {
        CudaBackend device = Device.Open();
        using Tensor sum = device.Upload<float>(new Shape(Count), new float[Count]);
        for (int round = 1; round <= 3; round++)
        {
            // The block of the last round, whose work may not have begun.
            using Tensor x = device.Alloc(DType.F32, new Shape(Count));
            float value = round;
            device.Fill(x, (part, _) => MemoryMarshal.Cast<byte, float>(part).Fill(value));
            device.Add(sum, x);
        }

        Assert.All(device.Download<float>(sum.ColumnRange(Count - 100, 100)), v => Assert.Equal(6, v));
    }

    [SkippableFact]
    [SuppressMessage("Reliability", "CA2025", Justification = "a tensor may be given back when Drain returns")]
    public async Task A_tensor_that_an_op_has_seen_is_filled_and_drained_in_order()
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Alloc(DType.F32, new Shape(Count));
        Tensor y = device.Alloc(DType.F32, new Shape(Count));
        device.Zero(x);
        device.Fill(x.ColumnRange(0, Count / 2), (part, _) => MemoryMarshal.Cast<byte, float>(part).Fill(1));
        device.Copy(y, x);
        float[] back = new float[Count];
        Task write = device.Drain(y, (part, from) => part.CopyTo(MemoryMarshal.AsBytes(back.AsSpan())[(int)from..]));
        device.Zero(y);
        y.Dispose();
        await write;
        Assert.Equal(Count / 2, back.Sum(v => (double)v));
    }

    [SkippableFact]
    public async Task What_a_reader_or_a_writer_throws_arrives_and_the_next_copy_works()
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Alloc(DType.F32, new Shape(Count));
        Assert.Throws<IOException>(() => device.Fill(x, (_, from) => throw new IOException($"{from}")));
        await Assert.ThrowsAsync<IOException>(() => device.Drain(x, (_, from) => throw new IOException($"{from}")));
        await Bytes_go_to_the_device_and_back(1, Count);
    }

    [SkippableFact]
    public void Nothing_is_read_any_more_when_a_reader_has_failed()
    {
        CudaBackend device = Device.Open();
        using Tensor x = device.Alloc(DType.F32, new Shape(Count));
        using Watch watch = new();
        Assert.Throws<IOException>(() => device.Fill(x, (_, from) => watch.Use(() =>
        {
            if (from == 0)
            {
                throw new IOException();
            }
        })));
        watch.Close();
    }

    [SkippableFact]
    public async Task Nothing_is_written_any_more_when_a_copy_has_failed()
    {
        CudaBackend device = Device.Open();
        Skip.IfNot(Device.IsDouble, "a GPU does not fail on demand");
        using Tensor x = device.Alloc(DType.F32, new Shape(Count));
        using Watch watch = new();
        device.Zero(x);
        using (Device.Configured("CUDASIM_FAIL", "cuMemcpyDtoHAsync_v2@11=304", afterwards: ""))
        {
            CudaException error = await Assert.ThrowsAsync<CudaException>(() => device.Drain(x, (_, _) => watch.Use(() => { })));
            Assert.Equal("cuMemcpyDtoHAsync_v2", error.Call);
        }

        watch.Close();
        Assert.InRange(watch.Uses, 1, 10);
        await Bytes_go_to_the_device_and_back(1, Count);
    }

    /// <summary>A file that takes its time, and is closed.</summary>
    private sealed class Watch : IDisposable
    {
        private readonly ManualResetEventSlim closed = new();
        private int uses, ended;

        public int Uses => uses;

        public void Use(Action action)
        {
            Interlocked.Increment(ref uses);
            Thread.Sleep(30);
            Assert.False(closed.IsSet);
            Interlocked.Increment(ref ended);
            action();
        }

        /// <summary>All uses that began have ended, and none begins.</summary>
        public void Close()
        {
            int begun = uses;
            Assert.Equal(begun, ended);
            closed.Set();
            Thread.Sleep(60);
            Assert.Equal(begun, uses);
        }

        public void Dispose() => closed.Dispose();
    }

    private static void Pattern(Span<byte> bytes, long from, int step)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)((from + i) * step >> 3);
        }
    }
}
