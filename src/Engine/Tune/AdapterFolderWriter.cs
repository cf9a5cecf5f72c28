using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>An output folder for a LoRA adapter, which peft loads too. Nothing is visible there before <see cref="Commit"/>.</summary>
internal sealed class AdapterFolderWriter : IDisposable
{
    private readonly IBackend backend;
    private readonly ModelSpec spec;
    private readonly Checkpoint weights;
    private readonly CheckpointWriter writer;

    /// <summary>Begins <paramref name="output"/>. Errors: those of <see cref="CheckpointWriter"/>.</summary>
    /// <param name="backend">where the adapters are</param>
    /// <param name="adapter">adapters of the same shapes as those that will be written</param>
    /// <param name="spec">the model that they belong to</param>
    /// <param name="weights">its weights, in a folder which must not be touched</param>
    /// <param name="output">must not exist</param>
    /// <param name="overwrite">it may</param>
    public AdapterFolderWriter(IBackend backend, AdapterSet adapter, ModelSpec spec, Checkpoint weights, string output, bool overwrite)
    {
        (this.backend, this.spec, this.weights) = (backend, spec, weights);
        TensorPlan[] plan = [.. adapter.Tensors().Select(t => new TensorPlan(AdapterFolder.Name(spec, t.Layer, t.Role, t.Factor), DType.F32, t.Value.Shape))];
        writer = new CheckpointWriter(output, overwrite, plan, long.MaxValue, weights.Folder, AdapterFolder.WeightsName);
        try
        {
            IEnumerable<Role> roles = adapter.Maps.Keys.Select(map => map.Role).Distinct();
            writer.AddFile(AdapterConfig.FileName, AdapterConfig.Write(adapter.Config, spec, roles, weights.Folder));
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>Writes all adapters; refuses NaN and infinity (NE10004).</summary>
    public void Write(AdapterSet adapter)
    {
        foreach ((int layer, Role role, char factor, Tensor value) in adapter.Tensors())
        {
            string name = AdapterFolder.Name(spec, layer, role, factor);
            if (!backend.AllFinite(value))
            {
                throw ModelFolderWriter.NotFinite("NE10004", name, "is not finite");
            }

            writer.Write(backend, name, value);
        }
    }

    /// <summary>Adds a small file, such as a picture of the run.</summary>
    public void AddFile(string name, ReadOnlySpan<byte> content) => writer.AddFile(name, content);

    /// <summary>Makes the folder visible; its manifest has <paramref name="configuration"/>, the type that was computed in and the model's fingerprint. Returns its files.</summary>
    public IReadOnlyList<string> Commit(JsonObject configuration, DType dtype) =>
        writer.Commit(configuration, new ComputedOn(backend.Name, dtype), ModelFingerprint.Of(weights));

    /// <inheritdoc/>
    public void Dispose() => writer.Dispose();
}
