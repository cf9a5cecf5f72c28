using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.CuBlasLt;

namespace NativeEngine.Kernels.Interop;

/// <summary>How a product is calculated: chosen once per shape, used as often as the shape returns.</summary>
/// <param name="Algorithm">cuBLASLt's own description</param>
/// <param name="WorkspaceBytes">what it needs</param>
internal readonly record struct MatmulAlgorithm(cublasLtMatmulAlgo_t Algorithm, long WorkspaceBytes);

/// <summary>cuBLASLt: products whose algorithm is chosen apart from their run. Column-major.</summary>
internal sealed unsafe class CuBlasLtHandle : CudaHandle
{
    /// <summary>Opens it.</summary>
    public CuBlasLtHandle(CudaContext context) : base(context)
    {
        nint created;
        Gate.Check(cublasLtCreate(&created));
        Own(created);
    }

    /// <summary>The best algorithm for d = op(a) op(b) + c; null where there is none for these types, alignments and workspace.</summary>
    public MatmulAlgorithm? Choose(MatmulDescriptor product, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d, MatmulPreference preference)
    {
        cublasLtMatmulHeuristicResult_t result;
        int found = 0;
        Gate gate = Gate;
        cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
            handle, product.Handle, a.Handle, b.Handle, c.Handle, d.Handle, preference.Handle, 1, &result, &found);
        KeepAlive(product, a, b, c, d);
        GC.KeepAlive(preference);
        if (status == cublasStatus_t.CUBLAS_STATUS_NOT_SUPPORTED)
        {
            return null;
        }

        gate.Check(status, $"{a} x {b}", nameof(cublasLtMatmulAlgoGetHeuristic));
        return found > 0 && !Gate.Failed(result.state) ? new(result.algo, (long)result.workspaceSize) : null;
    }

    /// <summary>d = alpha op(a) op(b) + beta c; d may be c.</summary>
    /// <param name="stream">where it runs</param>
    /// <param name="product">operations, types, epilogue</param>
    /// <param name="d">address and layout of the result</param>
    /// <param name="a">address and layout of the left factor</param>
    /// <param name="b">address and layout of the right factor</param>
    /// <param name="c">address and layout of what is added</param>
    /// <param name="alpha">factor of the product</param>
    /// <param name="beta">factor of c; c is not read where it is 0</param>
    /// <param name="algorithm">from <see cref="Choose"/> for these layouts</param>
    /// <param name="workspace">at least what the algorithm needs, and used by nothing else on another stream</param>
    public void Matmul(
        CudaStream stream, MatmulDescriptor product, (nint Address, MatrixLayout Layout) d, (nint Address, MatrixLayout Layout) a, (nint Address, MatrixLayout Layout) b,
        (nint Address, MatrixLayout Layout) c, double alpha, double beta, MatmulAlgorithm algorithm, DeviceMemory workspace)
    {
        (Factor scaleA, Factor scaleC) = (new(alpha, product.Result), new(beta, product.Result));
        cublasLtMatmulAlgo_t chosen = algorithm.Algorithm;
        Gate.Check(
            cublasLtMatmul(
                handle, product.Handle, &scaleA, a.Address, a.Layout.Handle, b.Address, b.Layout.Handle, &scaleC, c.Address, c.Layout.Handle, d.Address, d.Layout.Handle,
                &chosen, workspace.Handle, (nuint)workspace.Bytes, stream.Handle),
            $"{a.Layout} x {b.Layout} to {d.Layout}");
        KeepAlive(product, a.Layout, b.Layout, c.Layout, d.Layout);
        GC.KeepAlive(workspace);
        GC.KeepAlive(stream);
    }

    /// <inheritdoc/>
    protected override bool Destroy() => Gate.Quietly(cublasLtDestroy(handle), this, nameof(cublasLtDestroy));

    private static void KeepAlive(MatmulDescriptor product, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d)
    {
        GC.KeepAlive(product);
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
        GC.KeepAlive(d);
    }
}
