using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Export;

/// <summary>An output folder for a model derived from another one: the tensors its spec lists, config.json, and the original's side files.</summary>
public sealed class ModelFolderWriter : IDisposable
{
    private readonly IBackend backend;
    private readonly CausalModel source;
    private readonly ModelSpec spec;
    private readonly DType store;
    private readonly string? method;
    private readonly CheckpointWriter writer;

    /// <summary>Begins <paramref name="output"/>; nothing is visible there before <see cref="Commit"/>.</summary>
    /// <param name="backend">where the tensors come from</param>
    /// <param name="source">the model that was read</param>
    /// <param name="spec">what is written</param>
    /// <param name="store">type of the weights; null keeps each tensor's own, and the embedding's for tensors the source does not have</param>
    /// <param name="method">what made it; null for a model that stock readers load</param>
    /// <param name="output">must not exist</param>
    /// <param name="overwrite">it may</param>
    public ModelFolderWriter(IBackend backend, CausalModel source, ModelSpec spec, DType? store, string? method, string output, bool overwrite)
    {
        (this.backend, this.source, this.spec, this.method) = (backend, source, spec, method);
        IReadOnlyDictionary<string, TensorEntry> entries = source.Checkpoint.Tensors;
        this.store = store ?? entries[spec.Names.Tensor(Role.Embed, -1)].DType;
        var plan = spec.Parameters().Select(p => new TensorPlan(p.Name, store ?? (entries.TryGetValue(p.Name, out TensorEntry? e) ? e.DType : this.store), p.Shape)).ToList();
        writer = new CheckpointWriter(output, overwrite, plan, input: source.Checkpoint.Folder);
    }

    /// <summary>Writes one tensor; refuses NaN and infinity, which a narrower type makes of large values.</summary>
    public void Write(Role role, int layer, bool isBias, Tensor value)
    {
        string name = spec.Names.Tensor(role, layer, isBias);
        if (!backend.AllFinite(value))
        {
            throw new EngineException("NE10004", $"the result for tensor '{name}' is not finite, nothing was written") { Key = name };
        }

        writer.Write(backend, name, value);
    }

    /// <summary>Adds config.json and the side files and makes the folder visible. Returns its files.</summary>
    public IReadOnlyList<string> Commit(JsonObject configuration)
    {
        writer.CopySideFiles(source.Checkpoint.Folder);
        writer.AddFile("config.json", ConfigWriter.Write(source.Checkpoint.Folder, spec, store, method));
        return writer.Commit(configuration);
    }

    /// <inheritdoc/>
    public void Dispose() => writer.Dispose();
}
