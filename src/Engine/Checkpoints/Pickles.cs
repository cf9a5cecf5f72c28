namespace NativeEngine.Checkpoints;

/// <summary>Python pickles run code when they are loaded. They are told by name and magic, and never opened beyond that.</summary>
internal static class Pickles
{
    private static readonly string[] Extensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

    /// <summary>True for a file name that pickles go by, and for the index of pickled shards.</summary>
    public static bool IsPickle(string name) =>
        name.EndsWith(".bin.index.json", StringComparison.OrdinalIgnoreCase)
        || Extensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase);

    /// <summary>The error for a checkpoint that is one.</summary>
    public static EngineException Refuse(string path) => Errors.Rule("NE4001", path, "pickle checkpoints are never loaded", expected: "safetensors",
        hint: "convert it where you trust it: safetensors' bindings/python/convert.py, or load it in transformers and save_pretrained(DIR, safe_serialization=True)");
}
