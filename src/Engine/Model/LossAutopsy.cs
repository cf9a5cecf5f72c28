using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Model;

/// <summary>Finds out what made the loss of a batch infinite or NaN: the batch runs once more, up to the first layer whose output is not finite.</summary>
/// <param name="backend">device</param>
/// <param name="model">weights</param>
/// <param name="forward">the one that the loss came from</param>
/// <param name="advice">what its caller can do about it</param>
internal sealed class LossAutopsy(IBackend backend, CausalModel model, Forward forward, string advice)
{
    /// <summary>The error that names the layer, and the op in it: NE10008, or NE10007 where it was the head.</summary>
    public EngineException Of(LabelledBatch batch)
    {
        Tensor x = forward.Embed(model.Outer, batch.Tokens);
        try
        {
            for (int l = 0; l < model.Spec.Layers.Count; l++)
            {
                LayerWeights layer = model.Layer(l);
                using var act = new LayerActivations();
                using Tensor input = x;
                x = forward.LayerKept(layer, l, input, batch.Tokens, act);
                string? op = backend.AllFinite(x) ? null : FirstNotFinite(act, layer.Stations);
                model.Release(layer);
                if (op is not null)
                {
                    return new EngineException("NE10008", $"the loss is not finite: layer {l} produced NaN or infinity, first in {op} block")
                    {
                        File = model.Checkpoint.Folder,
                        Key = $"layer {l}",
                        Hint = $"the weights are finite, so an activation overflowed: {advice}",
                    };
                }
            }
        }
        finally
        {
            x.Dispose();
        }

        return new EngineException("NE10007", "the loss is not finite: the head produced NaN or infinity") { File = model.Checkpoint.Folder, Key = "head", Hint = advice };
    }

    private string FirstNotFinite(LayerActivations act, IReadOnlyList<Station> stations)
    {
        for (int i = 0; i < stations.Count; i++)
        {
            if (FirstNotFinite(act.Stations[i]) is string op)
            {
                return $"{op} of the {(stations[i].Qkv is null ? "MLP" : "attention")}";
            }
        }

        return "the output projection of the last";
    }

    private string? FirstNotFinite(StationActivations a)
    {
        (string Op, Tensor? Value)[] made =
        [
            ("the residual in front", a.Input), ("the norm", a.Normed), ("the q, k, v projection", a.Qkv), ("attention's result", a.Attended),
            ("the input projection", a.MlpHidden), ("the activation", a.MlpActivated),
        ];
        return Array.Find(made, m => m.Value is not null && !backend.AllFinite(m.Value)).Op;
    }
}
