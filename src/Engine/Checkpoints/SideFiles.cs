namespace NativeEngine.Checkpoints;

/// <summary>The files of a model folder that a compressed model takes over as they are.</summary>
internal static class SideFiles
{
    private static readonly string[] WeightExtensions = [".safetensors", ".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".npz"];

    /// <summary>True unless the name is that of weights, an index, config.json, the manifest, or a hidden file.</summary>
    public static bool IsSideFile(string name) =>
        name is not ("config.json" or Manifest.FileName)
        && name[0] != '.'
        && !Pickles.IsPickle(name)
        && !name.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase)
        && !WeightExtensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase);

    /// <summary>Opens a side file. Errors: NE5002.</summary>
    public static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(path, e);
        }
    }

    /// <summary>Reads the next bytes; 0 at the end. Errors: NE5002.</summary>
    public static int Read(FileStream file, Span<byte> block)
    {
        try
        {
            return file.Read(block);
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(file.Name, e);
        }
    }
}
