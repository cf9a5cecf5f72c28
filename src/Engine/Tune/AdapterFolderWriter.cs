using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>An output folder for a LoRA adapter, which peft loads too. Nothing is visible there before <see cref="Commit"/>.</summary>
public sealed class AdapterFolderWriter : IDisposable
{
    private readonly IBackend backend;
    private readonly ModelSpec spec;
    private readonly CheckpointWriter writer;

    /// <summary>Begins <paramref name="output"/>. Errors: those of <see cref="CheckpointWriter"/>.</summary>
    /// <param name="backend">where the adapters are</param>
    /// <param name="adapter">adapters of the same shapes as those that will be written</param>
    /// <param name="spec">the model that they belong to</param>
    /// <param name="model">its folder, which must not be touched</param>
    /// <param name="output">must not exist</param>
    /// <param name="overwrite">it may</param>
    public AdapterFolderWriter(IBackend backend, AdapterSet adapter, ModelSpec spec, string model, string output, bool overwrite)
    {
        (this.backend, this.spec) = (backend, spec);
        TensorPlan[] plan = [.. adapter.Tensors().Select(t => new TensorPlan(AdapterFolder.Name(spec, t.Layer, t.Role, t.Factor), DType.F32, t.Value.Shape))];
        writer = new CheckpointWriter(output, overwrite, plan, long.MaxValue, model, AdapterFolder.WeightsName);
        try
        {
            writer.AddFile(AdapterConfig.FileName, AdapterConfig.Write(adapter.Config, spec, adapter.Maps.Keys.Select(map => map.Role).Distinct(), model));
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

    /// <summary>Makes the folder visible, with <paramref name="configuration"/> in its manifest. Returns its files.</summary>
    public IReadOnlyList<string> Commit(JsonObject configuration) => writer.Commit(configuration);

    /// <inheritdoc/>
    public void Dispose() => writer.Dispose();
}
