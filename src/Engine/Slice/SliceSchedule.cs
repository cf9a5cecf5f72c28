using NativeEngine.Spec;

namespace NativeEngine.Slice;

/// <summary>Which residual widths a slice keeps, as the spec of the sliced model.</summary>
internal static class SliceSchedule
{
    /// <summary>One width everywhere: (1 - sparsity) of the original hidden width, truncated, then rounded down to a multiple of <paramref name="round"/>.</summary>
    /// <param name="fused">the model after fusion, possibly sliced before</param>
    /// <param name="sparsity">from 0 up to but not including 1, of the ORIGINAL hidden width</param>
    /// <param name="round">at least 1</param>
    /// <param name="sliceHead">slice the head's input as well</param>
    public static ModelSpec Constant(ModelSpec fused, double sparsity, int round, bool sliceHead)
    {
        int unrounded = Unrounded(fused, sparsity), width = unrounded / round * round;
        if (width < 1 && unrounded > 0 && round > fused.Hidden)
        {
            throw new EngineException("NE2025", $"the {fused.Hidden} hidden columns are fewer than the multiple they are kept to")
            {
                Key = "--round",
                Found = $"{round}",
                Expected = $"1 to {unrounded}",
            };
        }

        if (width < 1)
        {
            throw new EngineException("NE2021", $"sparsity {sparsity} leaves none of the {fused.Hidden} hidden columns")
            {
                Key = "--sparsity",
                Expected = $"at most {1 - (double)round / fused.Hidden:0.####} with --round {round}",
            };
        }

        int head = sliceHead ? Math.Min(width, fused.HeadWidth) : fused.HeadWidth;
        ModelSpec target = WithWidths(fused, Math.Min(width, fused.EmbedWidth), head, l => (Math.Min(width, fused.Layers[l].AttentionOutput), Math.Min(width, fused.Layers[l].MlpOutput)));
        if (sparsity > 0 && fused.EmbedWidth < fused.Hidden && target.ParameterCount() == fused.ParameterCount())
        {
            throw new EngineException("NE2022", $"sparsity {sparsity} keeps {width} of {fused.Hidden} columns, and the model is already sliced to {fused.EmbedWidth}")
            {
                Key = "--sparsity",
                Hint = "sparsity counts from the original hidden width; ask for more",
            };
        }

        return target;
    }

    /// <summary>The columns that a sparsity leaves, before rounding.</summary>
    public static int Unrounded(ModelSpec model, double sparsity) => (int)((1 - sparsity) * model.Hidden);

    /// <summary>The part of the original hidden width that the embedding of <paramref name="sliced"/> lacks.</summary>
    public static double Sparsity(ModelSpec sliced) => 1 - (double)sliced.EmbedWidth / sliced.Hidden;

    /// <summary>The widths of a SlicingConfig JSON, as the reference writes it.</summary>
    /// <exception cref="EngineException">NE3060: it is broken or belongs to another model; NE3039, NE5002, NE5004: it cannot be read</exception>
    public static ModelSpec FromFile(ModelSpec fused, string file) => Parse(fused, InputFile.Read(file, ConfigJson.MaxBytes), file);

    /// <summary>As <see cref="FromFile"/>, from bytes; <paramref name="file"/> is their name in errors.</summary>
    public static ModelSpec Parse(ModelSpec fused, ReadOnlyMemory<byte> utf8, string file)
    {
        ConfigJson json = ConfigJson.Parse(utf8, file);
        int layers = fused.Layers.Count;
        bool parallel = fused.Residual == ResidualKind.Parallel;
        Require("hidden_size", json.Int("hidden_size", 1, int.MaxValue), fused.Hidden);
        Require("layers_num", json.Int("layers_num", 1, int.MaxValue), layers);
        Require("parallel_blocks", json.Bool("parallel_blocks", parallel) ? 1 : 0, parallel ? 1 : 0);
        int constant = json.Int("const_dimension", 1, fused.Hidden, 0);
        int embedding = Width("embedding_dimensions", 0, fused.EmbedWidth);
        int head = json.Int("head_dimension", 1, fused.HeadWidth, fused.HeadWidth);
        ModelSpec target = WithWidths(fused, embedding, head, l => (
            parallel ? 0 : Width("attention_output_dimensions", l, fused.Layers[l].AttentionOutput),
            l == layers - 1 ? head : Width("mlp_output_dimensions", l, fused.Layers[l].MlpOutput)));

        // These follow from the widths above; a file that says otherwise does not describe a network.
        for (int l = 0; l < layers; l++)
        {
            Implied("attention_input_dimensions", l, target.Layers[l].AttentionInput);
            Implied("mlp_input_dimensions", l, target.Layers[l].MlpInput);
            Implied("mlp_output_dimensions", l, target.Layers[l].MlpOutput);
        }

        return target;

        int Width(string key, int index, int max) => json.Object(key) is { } widths && widths.Has(index.ToString())
            ? widths.Int(index.ToString(), 1, max)
            : constant > 0 ? Math.Min(constant, max) : throw new EngineException("NE3060", $"'{key}' has no entry {index}") { File = file, Key = key };

        void Implied(string key, int index, int expected)
        {
            if (json.Object(key) is { } widths && widths.Has(index.ToString()))
            {
                Require($"{key}.{index}", widths.Int(index.ToString(), 1, int.MaxValue), expected);
            }
        }

        void Require(string key, int found, int expected)
        {
            if (found != expected)
            {
                throw new EngineException("NE3060", $"the schedule does not fit the model at '{key}'")
                {
                    File = file,
                    Key = key,
                    Found = found.ToString(),
                    Expected = expected.ToString(),
                };
            }
        }
    }

    /// <summary><paramref name="outputs"/> gives, per layer, the widths behind attention and behind the MLP; inputs follow from them.</summary>
    private static ModelSpec WithWidths(ModelSpec fused, int embedding, int head, Func<int, (int Attention, int Mlp)> outputs)
    {
        var layers = new LayerShape[fused.Layers.Count];
        int input = embedding;
        for (int l = 0; l < layers.Length; l++)
        {
            (int attention, int mlp) = outputs(l);
            mlp = l == layers.Length - 1 ? head : mlp;
            bool parallel = fused.Residual == ResidualKind.Parallel;
            layers[l] = fused.Layers[l] with
            {
                AttentionInput = input,
                AttentionOutput = parallel ? mlp : attention,
                MlpInput = parallel ? input : attention,
                MlpOutput = mlp,
            };
            input = mlp;
        }

        return fused with { EmbedWidth = embedding, HeadWidth = head, Layers = layers };
    }
}
