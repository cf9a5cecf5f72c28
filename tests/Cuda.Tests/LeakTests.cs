using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cuda;
using NativeEngine.Model;
using NativeEngine.Spec;
using NativeEngine.Testing;

namespace NativeEngine.Cuda.Tests;

/// <summary>Memory runs out at every place where it is asked for: what was made before is given back, so that half of the work finds room.</summary>
[Collection(DeviceCollection.Name)]
public sealed class LeakTests : IDisposable
{
    private readonly Session session;
    private readonly CudaBackend device;

    public LeakTests()
    {
        Device.Open();
        Skip.IfNot(Device.IsDouble, "the memory of a GPU is what it is");
        session = new Session("cuda");
        device = (CudaBackend)session.Backend;
    }

    public static TheoryData<string> Models => ["variants/llama-tied-bf16", "tiny-opt"];

    [SkippableTheory]
    [MemberData(nameof(Models))]
    public void A_pass_that_memory_ends_leaves_nothing_behind(string name) => EndedEverywhere(() => Gradients(Shared.Path("models", name)));

    [SkippableFact]
    public void Decoding_that_memory_ends_leaves_nothing_behind() => EndedEverywhere(() =>
    {
        using CausalModel model = CausalModel.Open(device, Shared.Fixture("llama-mha"), DType.F32, weightMemory: 0);
        using var generator = new Generator(session, model);
        generator.Greedy([1, 40, 7], maxNewTokens: 2, endIds: []);
    });

    public void Dispose() => session.Dispose();

    /// <summary>No block is free when <paramref name="work"/> begins, so that the n-th allocation is the same in every run; it and all behind it fail.</summary>
    private void EndedEverywhere(Action work)
    {
        int n = 0;
        Exception? error;
        do
        {
            device.Trim();
            using (Device.Configured("CUDASIM_FAIL", $"cuMemAlloc_v2@{++n}+=2", afterwards: ""))
            {
                error = Record.Exception(work);
            }

            Assert.True(device.LiveBytes == 0, $"{device.LiveBytes} bytes stay behind allocation {n}");
            Assert.True(error is null or EngineException { Exit: ExitCode.OutOfMemory }, $"allocation {n}: {error}");
        }
        while (error is not null);

        Assert.True(n > 20, $"only {n} allocations");
        Device.CheckReport("leaks");
    }

    private void Gradients(string folder)
    {
        using CausalModel model = CausalModel.Open(device, folder, DType.F32);
        TokenWindows windows = Tokens.Random(model.Spec.Vocab, 2);
        using var batch = new LabelledBatch(device, TokenBatch.Of(device, model.Spec, windows), windows.NextIds());
        using var pass = new GradientPass(session, model, DType.F32, activationMemory: long.MaxValue);
        using OuterGradients outer = OuterGradients.Zeros(device, model.Outer, model.Spec.TiedHead, DType.F32);
        Assert.NotEmpty(pass.Run([batch], new AllGradients(device, outer)));
    }

    /// <summary>Wants the gradients of all parameters, and gives them back.</summary>
    private sealed class AllGradients(CudaBackend device, OuterGradients outer) : IGradientSink
    {
        public int FirstLayer => 0;

        public OuterGradients? Outer => outer;

        public IReadOnlyList<StationGradients> Begin(int l, LayerWeights weights)
        {
            using Owned made = new();
            return made.HandOver<StationGradients[]>([.. weights.Stations.Select(s => made.Add(StationGradients.Zeros(device, s, DType.F32)))]);
        }

        public void End(int l, LayerWeights weights, IReadOnlyList<StationGradients> gradients)
        {
            foreach (StationGradients station in gradients)
            {
                station.Dispose();
            }
        }
    }
}
