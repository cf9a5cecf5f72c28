using System.Text.Json.Nodes;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Prune;

namespace NativeEngine.Export;

/// <summary>Writes what a plan leaves of a model as a folder, tensor by tensor.</summary>
internal static class PrunedFolder
{
    /// <summary>Reads every tensor of <paramref name="model"/> once, deletes its rows and columns in place, and writes the rest.</summary>
    public static void Write(Session session, CausalModel model, PrunePlan plan, DType? store, string output, bool overwrite, JsonObject configuration)
    {
        using CausalModel cut = model.Cut(plan);
        using var writer = new ModelFolderWriter(session.Backend, model, cut.Spec, store, "llm-pruner", output, overwrite, plan.KeptLayers);
        writer.WriteAll(session, cut);
        writer.Commit(configuration);
    }
}
