using NativeEngine.Kernels.Interop;

namespace NativeEngine.Kernels.Cuda;

/// <summary>
/// Copies between files and the device on a stream of its own, so that the device computes meanwhile. Pinned blocks are used in turn: while some are
/// being read or written by other threads, others are being copied.
/// </summary>
internal sealed class BulkTransfer : IDisposable
{
    private const int BlockBytes = 4 << 20, BlockCount = 8;

    private readonly Owned owned = new();
    private readonly CudaStream work, copies;
    private readonly CudaEvent done; // what one stream has come to, for the other to wait for
    private readonly Block[] blocks;
    private int next;

    /// <summary>Copies beside <paramref name="work"/>, the stream that computes.</summary>
    public BulkTransfer(CudaContext context, CudaStream work)
    {
        this.work = work;
        try
        {
            copies = owned.Add(new CudaStream(context));
            done = owned.Add(new CudaEvent(context));
            blocks = [.. Enumerable.Range(0, BlockCount).Select(_ => new Block(owned.Add(new PinnedMemory(context, BlockBytes)), owned.Add(new CudaEvent(context))))];
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>y = what <paramref name="read"/> reads. Work that comes later waits for the copies; these wait for <paramref name="vacated"/>, the end of the
    /// work that used the memory before y was there, or for all work so far where that is null.</summary>
    public void Fill(Tensor y, ReadPart read, CudaEvent? vacated)
    {
        if (vacated is null)
        {
            AfterWork();
        }
        else
        {
            copies.Wait(vacated);
        }

        Queue<(Block, Piece)> reading = new(BlockCount);
        try
        {
            OrSettle(() =>
            {
                foreach (Piece piece in Piece.Cover(y, BlockBytes))
                {
                    if (reading.Count == BlockCount)
                    {
                        CopyFirst();
                    }

                    Block block = Next();
                    block.Use = Task.Run(() => read(block.Bytes(piece), piece.From));
                    reading.Enqueue((block, piece));
                }

                while (reading.Count > 0)
                {
                    CopyFirst();
                }
            });
        }
        finally
        {
            foreach ((Block block, _) in reading)
            {
                block.EndUse(); // what it reads is about to be closed
            }
        }

        done.Record(copies);
        work.Wait(done);

        void CopyFirst()
        {
            (Block block, Piece piece) = reading.Dequeue();
            block.Use.GetAwaiter().GetResult();
            piece.ToDevice(copies, block.Memory);
            block.Copied.Record(copies);
        }
    }

    /// <summary>Has <paramref name="write"/> write x as it is after all work so far. x may change on return; the task ends with the last write, also where a copy
    /// fails: what is written to may be closed then.</summary>
    public async Task Drain(Tensor x, WritePart write)
    {
        Queue<(Block, Piece)> copying = new(BlockCount);
        List<Task> writes = [];
        try
        {
            OrSettle(() =>
            {
                AfterWork();
                foreach (Piece piece in Piece.Cover(x, BlockBytes))
                {
                    if (copying.Count == BlockCount)
                    {
                        WriteFirst();
                    }

                    Block block = Next();
                    piece.ToHost(copies, block.Memory);
                    block.Copied.Record(copies);
                    copying.Enqueue((block, piece));
                }

                while (copying.Count > 0)
                {
                    WriteFirst();
                }
            });
        }
        finally
        {
            await Task.WhenAll(writes).ConfigureAwait(false);
        }

        void WriteFirst()
        {
            (Block block, Piece piece) = copying.Dequeue();
            block.Copied.Synchronize();
            block.Use = Task.Run(() => write(block.Bytes(piece), piece.From));
            writes.Add(block.Use);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Block block in blocks)
        {
            block.EndUse();
        }

        owned.Dispose();
    }

    /// <summary>Where <paramref name="copying"/> fails, waits for the copies that it began: their tensor is about to be given back.</summary>
    private void OrSettle(Action copying)
    {
        try
        {
            copying();
        }
        catch when (!GpuFault.IsLatched)
        {
            copies.Synchronize();
            throw;
        }
    }

    private void AfterWork()
    {
        done.Record(work);
        copies.Wait(done);
    }

    /// <summary>The next block, when no thread and no copy uses it any more.</summary>
    private Block Next()
    {
        Block block = blocks[next];
        next = (next + 1) % BlockCount;
        block.EndUse();
        block.Copied.Synchronize();
        return block;
    }

    private sealed class Block(PinnedMemory memory, CudaEvent copied)
    {
        public PinnedMemory Memory => memory;

        public CudaEvent Copied => copied;

        /// <summary>A thread reads into the block or writes from it.</summary>
        public Task Use { get; set; } = Task.CompletedTask;

        public unsafe Span<byte> Bytes(Piece piece) => new((void*)memory.Handle, (int)piece.Bytes);

        /// <summary>Waits for the thread; whether it failed is told to who asked for it.</summary>
        public void EndUse() => Task.WaitAny(Use);
    }
}
