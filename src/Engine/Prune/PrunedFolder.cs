using System.Text.Json.Nodes;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine.Prune;

/// <summary>Writes what a plan leaves of a model as a folder, tensor by tensor.</summary>
internal static class PrunedFolder
{
    /// <summary>Reads every tensor of <paramref name="model"/> once, deletes its rows and columns in place, and writes the rest.</summary>
    public static void Write(Session session, CausalModel model, PrunePlan plan, DType? store, string output, bool overwrite, JsonObject configuration)
    {
        using CausalModel cut = model.Cut(plan);
        using var writer = new ModelFolderWriter(session.Backend, model, cut.Spec, store, "llm-pruner", output, overwrite, plan.KeptLayers);
        int reported = -1;
        foreach (Parameter p in cut.Spec.Parameters())
        {
            session.Cancel.ThrowIfCancellationRequested();
            using Tensor value = session.Backend.Alloc(DType.F32, p.Shape);
            cut.Read(p, value);
            writer.Write(p.Role, p.Layer, p.IsBias, value);
            if (p.Layer > reported)
            {
                session.Reporter.Step((reported = p.Layer) + 1, $"layer {p.Layer}");
            }
        }

        writer.Commit(configuration);
    }
}
