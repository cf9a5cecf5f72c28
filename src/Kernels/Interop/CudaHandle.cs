using System.Runtime.InteropServices;

namespace NativeEngine.Kernels.Interop;

/// <summary>
/// A native object that lives in a context. It keeps its parent alive, also past the parent's Dispose and in finalizers, which run in any order:
/// the parent is released when its last child is. After a fault nothing is released, see <see cref="GpuFault"/>.
/// </summary>
internal abstract class CudaHandle : SafeHandle
{
    private readonly CudaHandle? parent;

    /// <summary>A handle that owns nothing yet, and holds nothing: a constructor that fails before <see cref="Own"/> leaves nothing behind.</summary>
    protected CudaHandle(CudaHandle? parent) : base(0, ownsHandle: true)
    {
        ObjectDisposedException.ThrowIf(parent is { IsClosed: true }, parent!);
        this.parent = parent;
    }

    /// <inheritdoc/>
    public sealed override bool IsInvalid => handle == 0;

    /// <summary>The context it lives in; null for one that needs none.</summary>
    public virtual CudaContext? Context => parent?.Context;

    /// <summary>The native object, for a call on behalf of another handle, which has to keep this one alive.</summary>
    public nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed || IsInvalid, this);
            return handle;
        }
    }

    /// <summary>The way to native calls about this object.</summary>
    protected Gate Gate => Gate.Of(this);

    /// <summary>Takes over what was created and holds the parent from now on, then sets it up; what cannot be set up is given back at once.</summary>
    protected void Own(nint created, Action? setUp = null)
    {
        bool held = false;
        parent?.DangerousAddRef(ref held);
        SetHandle(created);
        try
        {
            setUp?.Invoke();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Gives the native object back; false when that failed. Must not throw.</summary>
    protected abstract bool Destroy();

    /// <inheritdoc/>
    protected sealed override bool ReleaseHandle()
    {
        bool released = !GpuFault.IsLatched && (parent?.Context?.TrySetCurrent() ?? true) && Destroy();
        parent?.DangerousRelease();
        return released;
    }
}
