using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Spec;
using NativeEngine.Tune;

namespace NativeEngine.Tests.Tune;

/// <summary>Adapters whose A and B are both random.</summary>
internal static class RandomAdapters
{
    public static AdapterSet Create(IBackend backend, ModelSpec spec, LoraConfig config, IReadOnlyCollection<Role> roles)
    {
        AdapterSet set = AdapterSet.Initial(backend, spec, config, roles, seed: 1);
        var random = new Random(2);
        foreach (Lora lora in set.Maps.Values)
        {
            foreach (ref float b in lora.B.AsSpan<float>())
            {
                b = random.NextSingle() - 0.5f;
            }
        }

        return set;
    }

    public static AdapterSet Write(Session session, ModelSpec spec, Checkpoint weights, string output, LoraConfig config, IReadOnlyCollection<Role> roles)
    {
        AdapterSet set = Create(session.Backend, spec, config, roles);
        using var writer = new AdapterFolderWriter(session.Backend, set, spec, weights, output, overwrite: false);
        writer.Write(set);
        writer.Commit([], DType.F32);
        return set;
    }
}
