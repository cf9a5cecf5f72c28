using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;

namespace NativeEngine.Tune;

/// <summary>A folder with a LoRA adapter, as PEFT lays it out: adapter_config.json and adapter_model.safetensors.</summary>
internal static class AdapterFolder
{
    /// <summary>File name of the weights, without its extension.</summary>
    internal const string WeightsName = "adapter_model";

    /// <summary>
    /// Reads the adapter in <paramref name="folder"/>, of this engine or of peft, for the model of <paramref name="spec"/> and <paramref name="weights"/>.
    /// Every tensor that the configuration calls for must be there, with the shape that the model gives it, and no other; a notice says when the
    /// manifest names another model. Errors: NE3210 no adapter, NE3211 a tensor
    /// is missing, NE3212 one is left over, NE3213 one has another shape, NE3050, NE3052, NE3053 the configuration is broken, NE4050 it asks for
    /// something that is not supported, NE4001 a pickle, NE10001 NaN; and those of <see cref="SafetensorsFile.Open"/>.
    /// </summary>
    public static AdapterSet Read(Session session, string folder, ModelSpec spec, Checkpoint weights)
    {
        var files = new ModelFolder(folder);
        AdapterConfig config = AdapterConfig.Read(files);
        Parameter[] maps = [.. Targets(config, spec, files, session.Reporter)];
        using SafetensorsFile file = SafetensorsFile.Open(Find(files));
        CheckTensors(file, spec, maps, config.Lora.Rank);
        if (Manifest.BaseOf(files) is string trainedOn && trainedOn != ModelFingerprint.Of(weights))
        {
            session.Reporter.Notice($"{folder}: the adapter was trained on another model of these shapes, or on another copy, than {weights.Folder}");
        }

        var adapter = new AdapterSet(session.Backend, config.Lora, maps);
        try
        {
            foreach ((int layer, Role role, char factor, Tensor value) in adapter.Tensors())
            {
                Read(session.Backend, file, file.Tensors[Name(spec, layer, role, factor)], value);
            }

            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    /// <summary>Name of a tensor in PEFT: the wrapped model is its base_model.model.</summary>
    internal static string Name(ModelSpec spec, int layer, Role role, char factor) =>
        $"base_model.model.{spec.Names.Module(role, layer)}.lora_{factor}.weight";

    /// <summary>The maps whose module a target names, wholly or by its end. A target that names none is let be, as in peft.</summary>
    private static IEnumerable<Parameter> Targets(AdapterConfig config, ModelSpec spec, ModelFolder files, IReporter reporter)
    {
        HashSet<string> met = [];
        foreach (Parameter p in spec.Parameters().Where(p => p is { IsBias: false, Shape.Rank: 2 }))
        {
            string module = spec.Names.Module(p.Role, p.Layer);
            string[] names = [.. config.TargetModules.Where(t => module == t || module.EndsWith('.' + t, StringComparison.Ordinal))];
            if (names.Length == 0)
            {
                continue;
            }

            if (!LoraTargetRoles.All.Contains(p.Role))
            {
                throw new EngineException("NE4200", $"an adapter for '{module}' is not supported")
                {
                    File = files.PathOf(AdapterConfig.FileName),
                    Key = "target_modules",
                    Found = names[0],
                    Expected = string.Join(", ", LoraTargetRoles.All.Where(spec.Names.Modules.ContainsKey).Select(role => spec.Names.Modules[role])),
                };
            }

            met.UnionWith(names);
            yield return p;
        }

        if (config.TargetModules.FirstOrDefault(t => !met.Contains(t)) is string unknown)
        {
            reporter.Notice($"{files.Location}: {spec.ModelType} models have no module {Untrusted.Quote(unknown)}; the adapter's other modules are used");
        }
    }

    private static string Find(ModelFolder files)
    {
        const string name = WeightsName + ".safetensors", pickle = WeightsName + ".bin";
        return files.Find(name) ?? throw (files.Has(pickle)
            ? Pickles.Refuse(files.PathOf(pickle))
            : AdapterConfig.NoAdapter(files, name));
    }

    private static void CheckTensors(SafetensorsFile file, ModelSpec spec, IEnumerable<Parameter> maps, int rank)
    {
        HashSet<string> left = [.. file.Tensors.Keys];
        foreach (Parameter p in maps)
        {
            foreach ((char factor, Shape shape) in new[] { ('A', new Shape(rank, p.Shape[1])), ('B', new Shape(p.Shape[0], rank)) })
            {
                string name = Name(spec, p.Layer, p.Role, factor);
                if (!left.Remove(name))
                {
                    throw Errors.Rule("NE3211", file.Path, "a tensor of the adapter is missing", name, shape.ToString(),
                        hint: "the adapter is of another model, or incomplete");
                }

                if (file.Tensors[name].Shape is var found && found != shape)
                {
                    throw Errors.Rule("NE3213", file.Path, "a tensor of the adapter does not have the shape that its rank and the model imply", name,
                        shape.ToString(), found.ToString(), "an adapter fits only the model that it was trained on");
                }
            }
        }

        if (left.Order(StringComparer.Ordinal).FirstOrDefault() is string extra)
        {
            throw Errors.Rule("NE3212", file.Path, $"{left.Count} tensors of the adapter have no place in the model", extra,
                hint: "the adapter is of another model, or its target_modules are not the ones it was trained with");
        }
    }

    private static void Read(IBackend backend, SafetensorsFile file, TensorEntry entry, Tensor value)
    {
        if (!file.Read(backend, entry, value))
        {
            throw new EngineException("NE10001", $"tensor '{entry.Name}' holds NaN or infinity")
            {
                File = entry.File,
                Key = entry.Name,
                Hint = "the adapter is damaged",
            };
        }
    }
}
