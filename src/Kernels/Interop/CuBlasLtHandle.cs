using NativeEngine.Kernels.Interop.Native;
using static NativeEngine.Kernels.Interop.Native.CuBlasLt;

namespace NativeEngine.Kernels.Interop;

/// <summary>How a product is calculated: chosen once per shape, used as often as the shape returns.</summary>
internal readonly struct MatmulAlgorithm(cublasLtMatmulAlgo_t algorithm, long workspaceBytes)
{
    /// <summary>cuBLASLt's own description.</summary>
    public cublasLtMatmulAlgo_t Algorithm { get; } = algorithm;

    /// <summary>What it needs.</summary>
    public long WorkspaceBytes { get; } = workspaceBytes;
}

/// <summary>A matrix of a product.</summary>
/// <param name="Address">on the device</param>
/// <param name="Layout">its shape and type</param>
internal readonly record struct MatmulOperand(nint Address, MatrixLayout Layout);

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

    /// <summary>Up to <paramref name="most"/> algorithms for d = op(a) op(b) + c, those first that should be fast; none where there is none for these types,
    /// alignments and workspace.</summary>
    public IReadOnlyList<MatmulAlgorithm> Choices(
        MatmulDescriptor product, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d, MatmulPreference preference, int most)
    {
        cublasLtMatmulHeuristicResult_t* results = stackalloc cublasLtMatmulHeuristicResult_t[most];
        int found = 0;
        Gate gate = Gate;
        cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
            handle, product.Handle, a.Handle, b.Handle, c.Handle, d.Handle, preference.Handle, most, results, &found);
        KeepAlive(product, a, b, c, d);
        GC.KeepAlive(preference);
        if (status == cublasStatus_t.CUBLAS_STATUS_NOT_SUPPORTED)
        {
            return [];
        }

        gate.Check(status, $"{a} x {b}", nameof(cublasLtMatmulAlgoGetHeuristic));
        List<MatmulAlgorithm> usable = [];
        for (int i = 0; i < found; i++)
        {
            if (!Gate.Failed(results[i].state))
            {
                usable.Add(new(results[i].algo, (long)results[i].workspaceSize));
            }
        }

        return usable;
    }

    /// <summary>d = alpha op(a) op(b) + beta c; d may be c.</summary>
    /// <param name="stream">where it runs</param>
    /// <param name="product">operations, types, bias</param>
    /// <param name="d">the result</param>
    /// <param name="a">left factor</param>
    /// <param name="b">right factor</param>
    /// <param name="c">what is added; not read where beta is 0</param>
    /// <param name="alpha">factor of the product</param>
    /// <param name="beta">factor of c</param>
    /// <param name="algorithm">from <see cref="Choices"/> for these layouts</param>
    /// <param name="workspace">at least what the algorithm needs; not used on another stream at the same time</param>
    public void Matmul(
        CudaStream stream, MatmulDescriptor product, MatmulOperand d, MatmulOperand a, MatmulOperand b, MatmulOperand c, double alpha, double beta,
        MatmulAlgorithm algorithm, DeviceMemory workspace)
    {
        (Factor scaleA, Factor scaleC) = (new(alpha, product.Result), new(beta, product.Result));
        cublasLtMatmulAlgo_t chosen = algorithm.Algorithm;
        Gate.Check(
            cublasLtMatmul(
                handle, product.Handle, &scaleA, a.Address, a.Layout.Handle, b.Address, b.Layout.Handle, &scaleC, c.Address, c.Layout.Handle,
                d.Address, d.Layout.Handle, &chosen, workspace.Handle, (nuint)workspace.Bytes, stream.Handle),
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
