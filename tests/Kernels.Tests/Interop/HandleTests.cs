using System.Runtime.CompilerServices;
using NativeEngine.Kernels.Interop;
using NativeEngine.Kernels.Interop.Native;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>Who keeps whom alive. The handles here stand for native objects that do not exist.</summary>
[Collection(GpuCollection.Name)]
public sealed class HandleTests : IDisposable
{
    private readonly List<string> released = [];

    public void Dispose() => GpuFault.Forget();

    [Fact]
    public void A_parent_is_released_after_its_last_child()
    {
        Item context = new("context", null, released);
        Item stream = new("stream", context, released);
        Item blas = new("blas", stream, released);
        context.Dispose();
        stream.Dispose();
        Assert.Empty(released);
        blas.Dispose();
        Assert.Equal(["blas", "stream", "context"], released);
    }

    [Fact]
    public void A_handle_is_released_once()
    {
        Item context = new("context", null, released);
        context.Dispose();
        context.Dispose();
        Assert.Equal(["context"], released);
    }

    [Fact]
    public void Finalizers_release_children_first()
    {
        AbandonChain();
        for (int i = 0; i < 5 && released.Count < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.Equal(["blas", "stream", "context"], released);
    }

    [Fact]
    public void What_was_never_created_is_never_released_and_holds_nothing()
    {
        Item context = new("context", null, released);
        Assert.Throws<InvalidOperationException>(() => new Item("stream", context, released, create: false));
        context.Dispose();
        Assert.Equal(["context"], released);
    }

    [Fact]
    public void What_cannot_be_set_up_is_given_back_at_once()
    {
        Item context = new("context", null, released);
        Assert.Throws<InvalidOperationException>(() => new Item("blas", context, released, setUp: () => throw new InvalidOperationException("refused")));
        Assert.Equal(["blas"], released);
        context.Dispose();
        Assert.Equal(["blas", "context"], released);
    }

    [Fact]
    public void A_disposed_handle_is_refused()
    {
        Item context = new("context", null, released);
        Item stream = new("stream", context, released);
        stream.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.Handle);
        Assert.Throws<ObjectDisposedException>(() => Gate.Of(stream));
        context.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new Item("late", context, released));
    }

    [Fact]
    public void After_a_fault_nothing_is_released()
    {
        Item context = new("context", null, released);
        Item stream = new("stream", context, released);
        GpuFault.Latch(new CudaException(Status.Of(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS), "cuStreamSynchronize", null, null));
        stream.Dispose();
        context.Dispose();
        Assert.Empty(released);
    }

    [Fact]
    public void A_release_that_meets_a_fault_does_not_throw_but_remembers_it()
    {
        Item context = new("context", null, released);
        Item memory = new("memory", context, released) { Result = CUresult.CUDA_ERROR_ILLEGAL_ADDRESS };
        memory.Dispose();
        context.Dispose();
        Assert.Equal(["memory"], released);
        Assert.Equal("memory", Assert.Throws<CudaException>(() => Gate.Open).Call);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AbandonChain()
    {
        Item context = new("context", null, released);
        Item stream = new("stream", context, released);
        _ = new Item("blas", stream, released);
    }

    private sealed class Item : CudaHandle
    {
        private readonly string name;
        private readonly List<string> released;

        public Item(string name, Item? parent, List<string> released, bool create = true, Action? setUp = null) : base(parent)
        {
            (this.name, this.released) = (name, released);
            Own(create ? 1 : throw new InvalidOperationException("refused"), setUp);
        }

        public CUresult Result { get; init; }

        protected override bool Destroy()
        {
            released.Add(name);
            return Gate.Quietly(Result, this, name);
        }
    }
}
