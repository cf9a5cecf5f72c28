using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;

namespace NativeEngine.Cuda.Tests;

/// <summary>A tensor that was given back is refused; without an address it must not pass for one that is absent, such as no mask or no gain.</summary>
[Collection(DeviceCollection.Name)]
public sealed class DisposedTensorTests
{
    private static readonly Dictionary<string, Action<IBackend, Tensor, Tensor>> Calls = new()
    {
        ["gain"] = (b, x, gone) => b.RmsNorm(x, x, gone.Reshape(new Shape(4)), 1e-5, 4),
        ["bias of a norm"] = (b, x, gone) => b.LayerNorm(x, x, null, gone, 1e-5),
        ["logSumExp"] = (b, x, gone) => Attend(b, x, logSumExp: gone),
        ["mask"] = (b, x, gone) => Attend(b, x, mask: gone),
        ["first"] = (b, x, gone) => Attend(b, x, first: gone),
        ["factor"] = (b, x, gone) => b.Gemm(x, x, gone),
        ["product"] = (b, x, gone) => b.Gemm(gone, x, x),
        ["view"] = (b, x, gone) => b.Add(x, gone.RowRange(0, 4)),
        ["zero"] = (b, _, gone) => b.Zero(gone),
        ["upload"] = (b, _, gone) => b.Upload<float>(gone, new float[4]),
        ["download"] = (b, _, gone) => b.Download<float>(gone),
        ["fill"] = (b, _, gone) => b.Fill(gone, (part, _) => part.Clear()),
        ["drain"] = (b, _, gone) => b.Drain(gone, (_, _) => { }),
        ["kept rows"] = (b, x, gone) => b.KeepRows(x, gone),
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string call in Calls.Keys)
            {
                cases.Add("cpu", call);
                cases.Add("cuda", call);
            }

            return cases;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void What_was_given_back_is_refused(string device, string call)
    {
        using CpuBackend cpu = new(1);
        IBackend backend = device == "cpu" ? cpu : Device.Open();
        using Tensor x = backend.Upload<float>(new Shape(4, 4), new float[16]);
        Tensor gone = call switch
        {
            "mask" or "first" or "kept rows" => backend.Upload<int>(new Shape(1, 4), new int[4]),
            "logSumExp" => backend.Alloc(DType.F32, new Shape(1, 1, 4)),
            "factor" or "product" or "view" => backend.Upload<float>(x.Shape, new float[16]),
            _ => backend.Upload<float>(new Shape(4), new float[4]),
        };
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Calls[call](backend, x, gone));
    }

    [SkippableFact]
    public void A_view_does_not_outlive_its_owner()
    {
        Tensor owner = Device.Open().Upload<float>(new Shape(4, 4), new float[16]);
        Tensor view = owner.RowRange(1, 2);
        owner.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Device.Open().Add(view, view));
    }

    /// <summary>One sequence of four queries, one head of four.</summary>
    private static void Attend(IBackend backend, Tensor x, Tensor? logSumExp = null, Tensor? mask = null, Tensor? first = null)
    {
        Tensor rows = x.Reshape(new Shape(1, 4, 4));
        using Tensor y = backend.Alloc(DType.F32, rows.Shape);
        backend.Attention(y, logSumExp, rows, rows, rows, mask, first, new AttentionDims(1, 1, 4, 4, 1));
    }
}
