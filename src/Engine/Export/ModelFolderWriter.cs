using System.Text.Json.Nodes;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Export;

/// <summary>An output folder for a model derived from another one: the tensors its spec lists, config.json, and the original's side files.</summary>
internal sealed class ModelFolderWriter : IDisposable
{
    private readonly IBackend backend;
    private readonly ModelSpec spec;
    private readonly Dictionary<string, DType> stored;
    private readonly CheckpointWriter writer;
    private readonly ComputedOn on;

    /// <summary>Begins <paramref name="output"/>; nothing is visible there before <see cref="Commit"/>.</summary>
    /// <param name="backend">where the tensors come from</param>
    /// <param name="source">the model that was read</param>
    /// <param name="spec">what is written</param>
    /// <param name="store">type of the weights; null keeps each tensor's own, and the embedding's for tensors the source does not have</param>
    /// <param name="method">what made it; null for a copy</param>
    /// <param name="output">must not exist</param>
    /// <param name="overwrite">it may</param>
    /// <param name="layers">the source's layers that it holds; null for all</param>
    public ModelFolderWriter(IBackend backend, CausalModel source, ModelSpec spec, DType? store, string? method, string output, bool overwrite, IReadOnlyList<int>? layers = null)
    {
        (this.backend, this.spec, on) = (backend, spec, new ComputedOn(backend.Name, source.DType));
        IReadOnlyDictionary<string, TensorEntry> entries = source.Checkpoint.Tensors;
        DType common = store ?? entries[spec.Names.Tensor(Role.Embed, -1)].DType;
        TensorPlan[] plan = [.. spec.Parameters().Select(p => new TensorPlan(p.Name, store ?? (entries.TryGetValue(p.Name, out TensorEntry? e) ? e.DType : common), p.Shape))];
        stored = plan.ToDictionary(t => t.Name, t => t.DType);
        writer = new CheckpointWriter(output, overwrite, plan, input: source.Checkpoint.Folder);
        try
        {
            // Now and not at the end: the folder may be another one after a run of hours.
            writer.CopySideFiles(source.Checkpoint.Folder);
            writer.AddFile("config.json", ConfigWriter.Write(source.Checkpoint.Folder, spec, common, method, layers));
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>Writes one tensor; refuses NaN and infinity, which F16 also makes of values beyond 65504.</summary>
    public void Write(Role role, int layer, bool isBias, Tensor value)
    {
        string name = spec.Names.Tensor(role, layer, isBias);
        if (!backend.AllFinite(value))
        {
            throw NotFinite("NE10004", name, "is not finite");
        }

        if (stored[name] == DType.F16)
        {
            using Tensor half = backend.Alloc(DType.F16, new Shape(value.Rows, value.Columns)), back = backend.Alloc(DType.F32, half.Shape);
            backend.Copy(half, value);
            backend.Copy(back, half);
            if (!backend.AllFinite(back))
            {
                throw NotFinite("NE10006", name, "does not fit fp16");
            }
        }

        writer.Write(backend, name, value);
    }

    /// <summary>Reads every tensor of <paramref name="model"/>, whose spec this folder has, and writes it, after <paramref name="change"/> where given.</summary>
    public void WriteAll(Session session, CausalModel model, Action<Parameter, Tensor>? change = null)
    {
        int reported = -1;
        foreach (Parameter p in spec.Parameters())
        {
            session.Cancel.ThrowIfCancellationRequested();
            WriteOne(model, p, change);
            if (p.Layer > reported)
            {
                reported = p.Layer;
                session.Reporter.Step(p.Layer + 1, $"layer {p.Layer}");
            }
        }
    }

    private void WriteOne(CausalModel model, Parameter p, Action<Parameter, Tensor>? change)
    {
        // What stays as it is stored passes through in that type, and reading it has checked that it is finite.
        bool passes = change is null && model.StoredType(p) == DType.BF16 && stored[p.Name] == DType.BF16;
        using Tensor value = backend.Alloc(passes ? DType.BF16 : DType.F32, p.Shape);
        model.Read(p, value);
        if (passes)
        {
            writer.Write(backend, p.Name, value);
            return;
        }

        change?.Invoke(p, value);
        Write(p.Role, p.Layer, p.IsBias, value);
    }

    /// <summary>Makes the folder visible, with <paramref name="configuration"/> in its manifest. Returns its files.</summary>
    public IReadOnlyList<string> Commit(JsonObject configuration) => writer.Commit(configuration, on);

    /// <inheritdoc/>
    public void Dispose() => writer.Dispose();

    internal static EngineException NotFinite(string code, string name, string fault) =>
        new(code, $"the result for tensor '{name}' {fault}, nothing was written") { Key = name, Hint = "store it as fp32 or bf16, or look at the checkpoint" };
}
