using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>The weights of a Hugging Face folder, open for reading: model.safetensors, or an index and its shards.</summary>
internal sealed class Checkpoint : IDisposable
{
    /// <summary>Name of the file that holds all weights.</summary>
    public const string SingleFile = "model.safetensors";

    private readonly Dictionary<string, SafetensorsFile> files = [];
    private readonly Dictionary<string, TensorEntry> tensors = [];
    private readonly List<string> notices = [];

    private readonly Action<IBackend, TensorEntry, Tensor>? make;

    private Checkpoint(string folder) => Folder = folder;

    /// <summary>Tensors that lie in no file: <paramref name="make"/> fills them when they are read.</summary>
    internal Checkpoint(string name, IEnumerable<TensorEntry> entries, Action<IBackend, TensorEntry, Tensor> make)
    {
        (Folder, this.make) = (name, make);
        tensors = entries.ToDictionary(entry => entry.Name);
    }

    /// <summary>The folder as it was named.</summary>
    public string Folder { get; }

    /// <summary>The tensors of all shards by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors => tensors;

    /// <summary>Bytes of all tensors.</summary>
    public long WeightBytes => tensors.Values.Sum(entry => entry.Bytes);

    /// <summary>What is odd about the checkpoint and does no harm, for the user to know.</summary>
    public IReadOnlyList<string> Notices => notices;

    /// <summary>
    /// Opens the weights in <paramref name="folder"/> and checks every header; no weight is read. Errors: NE3001 to NE3024 as
    /// <see cref="SafetensorsFile.Open"/>, NE3030 to NE3038 for the index, shards and links, NE4001 for pickles, NE5001 no such folder, NE5002 I/O.
    /// </summary>
    public static Checkpoint Open(string folder)
    {
        var checkpoint = new Checkpoint(folder);
        try
        {
            checkpoint.OpenFiles(new ModelFolder(folder));
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Reads a whole tensor into <paramref name="destination"/>, converting its type; see <see cref="SafetensorsFile.Read"/>.</summary>
    public bool Read(IBackend backend, TensorEntry entry, Tensor destination)
    {
        if (make is null)
        {
            return files[entry.File].Read(backend, entry, destination);
        }

        make(backend, entry, destination);
        return true;
    }

    /// <summary>Says that a tensor will be read soon.</summary>
    public void Announce(TensorEntry entry)
    {
        if (make is null)
        {
            files[entry.File].Announce(entry);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile file in files.Values)
        {
            file.Dispose();
        }
    }

    private void OpenFiles(ModelFolder folder)
    {
        if (folder.Find(SingleFile) is string single)
        {
            Add(single);
        }
        else if (folder.Find(ShardIndex.FileName) is string index)
        {
            OpenShards(folder, ShardIndex.Read(index));
        }
        else
        {
            throw NoWeights(folder);
        }
    }

    private void OpenShards(ModelFolder folder, ShardIndex index)
    {
        string[] shards = [.. index.ShardOf.Values.Distinct().Order(StringComparer.Ordinal)];
        if (folder.Names().Where(ShardIndex.IsShardName).Except(shards).FirstOrDefault() is string extra)
        {
            throw Errors.Rule("NE3033", index.Path, "a shard lies in the folder that the index does not name", extra,
                hint: "remove it if it is left over from another checkpoint, or fetch the index that belongs to it");
        }

        foreach (string shard in shards)
        {
            Add(folder.Find(shard) ?? throw Errors.Rule("NE3032", index.Path, "a shard that the index names is missing", shard, hint: "the download may be incomplete: fetch it"));
        }

        foreach ((string name, string shard) in index.ShardOf)
        {
            if (!tensors.TryGetValue(name, out TensorEntry? entry) || Path.GetFileName(entry.File) != shard)
            {
                throw Errors.Rule("NE3035", index.Path, $"a tensor is not in the shard that the index names, {shard}", name, hint: "index and shards are of different checkpoints");
            }
        }

        if (tensors.Count > index.ShardOf.Count)
        {
            string name = tensors.Keys.First(name => !index.ShardOf.ContainsKey(name));
            notices.Add($"{index.Path}: the shards hold {tensors.Count - index.ShardOf.Count} tensors that the index does not name, such as {Untrusted.Quote(name)}");
        }

        if (index.TotalSize is double size && size != WeightBytes)
        {
            notices.Add($"{index.Path}: total_size is {size}, the shards hold {WeightBytes} bytes");
        }
    }

    private void Add(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        files.Add(path, file);
        foreach ((string name, TensorEntry entry) in file.Tensors)
        {
            if (!tensors.TryAdd(name, entry))
            {
                throw Errors.Rule("NE3034", path, "a tensor is in two shards", name, found: $"also in {Path.GetFileName(tensors[name].File)}", hint: "the shards are of different checkpoints");
            }
        }
    }

    private static EngineException NoWeights(ModelFolder folder)
    {
        IReadOnlyList<string> names = folder.Names();
        if (names.FirstOrDefault(Pickles.IsPickle) is string pickle)
        {
            return Pickles.Refuse(Path.Combine(folder.Location, pickle));
        }

        string[] others = [.. names.Where(name => name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)).Take(5).Select(name => Untrusted.Quote(name))];
        return Errors.Rule("NE3038", folder.Location, "the folder holds no weights", expected: $"{SingleFile} or {ShardIndex.FileName}",
            found: others.Length == 0 ? null : string.Join(", ", others), hint: "name the folder of a Hugging Face checkpoint in safetensors");
    }
}
