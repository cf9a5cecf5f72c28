using NativeEngine.Checkpoints;
using NativeEngine.Evaluate;
using NativeEngine.Export;
using NativeEngine.Kernels;
using NativeEngine.Model;
using NativeEngine.Spec;

namespace NativeEngine;

/// <summary>The engine's calls: one options record in, one result record out. The command line and the C ABI are two skins over these.</summary>
public static partial class Verbs
{
    /// <summary>Reads config.json and the header of every shard and reports shapes, parameters and cost. Reads no weights.</summary>
    public static InspectResult Inspect(Session session, string model)
    {
        using CausalModel opened = Open(session, model);
        return new InspectResult
        {
            Command = "inspect",
            Model = model,
            ModelType = opened.Spec.ModelType,
            HiddenSize = opened.Spec.Hidden,
            VocabSize = opened.Spec.Vocab,
            MaxPositions = opened.Spec.MaxPositions,
            Sliced = opened.Spec.Shortcuts,
            Parameters = opened.Spec.ParameterCount(),
            Layers = opened.Spec.Layers,
            Macs64 = Cost.Macs(opened.Spec, 64),
            WeightBytes = opened.Checkpoint.WeightBytes,
        };
    }

    /// <summary>Writes the model as a Hugging Face folder, with its weights in another type where asked. A sliced model keeps its nativeengine block.</summary>
    public static ExportResult Export(Session session, ExportOptions options)
    {
        using CausalModel model = Open(session, options.Model);
        using OutputClaim claim = OutputClaim.Take(options.Output, options.Overwrite, options.Model);
        if (ConfigWriter.WhyNotStock(model.Spec) is string reason)
        {
            session.Reporter.Notice($"stock transformers does not load the output, this engine does: {reason}");
        }
        else if (ConfigWriter.NeedsHeadDim(model.Spec))
        {
            session.Reporter.Notice("transformers up to 4.41 does not load the output: it does not read head_dim");
        }

        session.Phase("export", model.Spec.Layers.Count);
        using var writer = new ModelFolderWriter(session.Backend, model, model.Spec, options.Store, method: null, options.Output, options.Overwrite);
        writer.WriteAll(session, model);
        IReadOnlyList<string> files = writer.Commit(EffectiveOptions.Of(options));
        return new ExportResult { Command = "export", Model = options.Model, Output = options.Output, Files = files };
    }

    private static CausalModel Open(Session session, string folder)
    {
        CausalModel model = CausalModel.Open(session.Backend, folder, session.ComputeType, session.WeightMemory);
        foreach (string notice in model.Checkpoint.Notices)
        {
            session.Reporter.Notice(notice);
        }

        if (model.UnusedTensors() is [string first, ..] unused)
        {
            session.Reporter.Notice($"{folder}: not part of the model that config.json describes: {first}{(unused.Count > 1 ? $" and {unused.Count - 1} more" : "")}");
        }

        return model;
    }
}
