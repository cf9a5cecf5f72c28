using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Testing;

namespace NativeEngine.Tests;

/// <summary>Changes weights in place.</summary>
internal delegate void ChangeWeights(string name, Span<float> weights);

/// <summary>A changed copy of a model under tests/fixtures, gone when disposed.</summary>
internal sealed class TemporaryModel : IDisposable
{
    public TemporaryModel(string fixture, ChangeWeights? change = null, Action<JsonObject>? config = null)
    {
        string source = Shared.Fixture(fixture);
        using var backend = new CpuBackend(1);
        using Checkpoint checkpoint = Checkpoint.Open(source);
        TensorPlan[] plan = [.. checkpoint.Tensors.Values.Select(t => new TensorPlan(t.Name, DType.F32, t.Shape))];
        using var writer = new CheckpointWriter(Folder, overwrite: false, plan);
        foreach (TensorEntry entry in checkpoint.Tensors.Values)
        {
            using Tensor value = backend.Alloc(DType.F32, entry.Shape);
            checkpoint.Read(backend, entry, value);
            change?.Invoke(entry.Name, value.AsSpan<float>());
            writer.Write(backend, entry.Name, value);
        }

        JsonObject json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(source, "config.json")))!.AsObject();
        config?.Invoke(json);
        writer.AddFile("config.json", System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()));
        writer.Commit([]);
    }

    public string Folder { get; } = Path.Combine(Path.GetTempPath(), "ne-model-" + Guid.NewGuid().ToString("N"));

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
