using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;
using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>
/// Writes a Hugging Face folder that appears whole or not at all. The plan fixes where every tensor lies, so they may arrive in
/// any order and go straight to their place; no weight is held in memory. Not for concurrent use.
/// </summary>
internal sealed class CheckpointWriter : IDisposable
{
    private readonly Disk disk;
    private readonly OutputFolder folder;
    private readonly IReadOnlyList<ShardPlan> shards;
    private readonly Dictionary<string, TensorEntry> unwritten;
    private readonly Dictionary<string, SafeFileHandle> open = [];
    private readonly List<string> names = [];
    private readonly List<Task> writes = []; // that may not have ended

    /// <summary>
    /// Reserves the room for all tensors of <paramref name="plan"/> beside <paramref name="output"/>. A shard holds at most
    /// <paramref name="maxShardBytes"/> bytes; <paramref name="input"/> is the folder that must not be touched; files of weights begin with
    /// <paramref name="name"/>. Errors: NE11001 the output exists, NE11002 to NE11004 it may not be replaced, NE6001 and NE6002 no room, NE5010 I/O or permission.
    /// </summary>
    public CheckpointWriter(string output, bool overwrite, IReadOnlyList<TensorPlan> plan, long maxShardBytes = 5_000_000_000, string? input = null, string name = "model")
        : this(output, overwrite, plan, maxShardBytes, input, new Disk(), name)
    {
    }

    internal CheckpointWriter(string output, bool overwrite, IReadOnlyList<TensorPlan> plan, long maxShardBytes, string? input, Disk disk, string name = "model")
    {
        this.disk = disk;
        shards = ShardPlan.Divide(plan, maxShardBytes, name);
        unwritten = shards.SelectMany(shard => shard.Entries).ToDictionary(entry => entry.Name);
        long bytes = shards.Sum(shard => shard.FileBytes);
        folder = new OutputFolder(output, overwrite, input, bytes + bytes / 20, disk);
        try
        {
            foreach (ShardPlan shard in shards)
            {
                open[shard.FileName] = Create(shard.FileName, shard.FileBytes);
                disk.Write(open[shard.FileName], PathOf(shard.FileName), 0, shard.Header);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where the files are: a partial folder while building, the output once committed.</summary>
    public string Folder => folder.Location;

    /// <summary>
    /// Writes a tensor of the plan, once, from device memory, converting it to the planned type; it may change on return. Errors, also those of earlier calls: NE6002 the disk is full,
    /// NE5010 I/O; a tensor that is not in the plan or has another shape there is an <see cref="ArgumentException"/>.
    /// </summary>
    public void Write(IBackend backend, string name, Tensor value)
    {
        if (!unwritten.TryGetValue(name, out TensorEntry? entry) || entry.Shape.Count != value.Shape.Count || entry.Shape.Columns != value.Columns)
        {
            throw new ArgumentException($"{Untrusted.Quote(name)}: {value} is not what the plan still expects: {entry?.Shape.ToString() ?? "nothing of that name"}", nameof(name));
        }

        ThrowIfFailed();
        if (entry.DType == value.DType)
        {
            Store(backend, entry, 0, value);
        }
        else
        {
            long blockElements = Math.Min(Tile.StagingBytes / entry.DType.Size(), entry.Shape.Count);
            foreach (Tile tile in Tile.Cover(value, Math.Max(blockElements, 1)))
            {
                using Tensor block = backend.Alloc(entry.DType, tile.View.Shape);
                backend.Copy(block, tile.View);
                Store(backend, entry, tile.Element * entry.DType.Size(), block);
            }
        }

        unwritten.Remove(name);
    }

    /// <summary>Writes a small file, such as config.json. Errors: NE5010, NE6002.</summary>
    public void AddFile(string name, ReadOnlySpan<byte> content)
    {
        using SafeFileHandle file = Create(name, content.Length);
        disk.Write(file, PathOf(name), 0, content);
        disk.Flush(file, PathOf(name));
    }

    /// <summary>
    /// Copies what a model folder holds besides weights: tokenizer, generation_config.json and the like, unchanged. Left behind are
    /// weights of any format, indexes, config.json, the manifest, hidden files, subfolders, files already added, and
    /// <paramref name="except"/>. Errors: NE3036 a link that leads out of the folder, NE5002, NE5010, NE6002, NE11004.
    /// </summary>
    public void CopySideFiles(string modelFolder, params IReadOnlyCollection<string> except)
    {
        folder.CheckInput(modelFolder);
        var model = new ModelFolder(modelFolder);
        foreach (string name in model.Names().Where(SideFiles.IsSideFile).Except(names).Except(except))
        {
            if (model.Find(name) is string source)
            {
                Copy(source, name);
            }
        }
    }

    /// <summary>
    /// Completes the output: index, hashes, manifest with <paramref name="configuration"/>, what it was computed <paramref name="on"/> (and, for an
    /// adapter, the fingerprint of its <paramref name="baseModel"/>), fsync, rename. Returns the names of all files. Every tensor of the plan must have been written. Errors: NE11001 the output has come to exist, NE5010, NE6002.
    /// </summary>
    public IReadOnlyList<string> Commit(JsonObject configuration, ComputedOn? on = null, string? baseModel = null)
    {
        if (unwritten.Count > 0)
        {
            throw new InvalidOperationException($"{unwritten.Count} planned tensors were not written, such as {Untrusted.Quote(unwritten.Keys.First())}");
        }

        Task.WhenAll(writes).GetAwaiter().GetResult();

        // What a disk takes to make a file durable is enough to read it back and hash it.
        Task<FileDigest>[] digests = [.. open.Keys.Select(name => Task.Run(() => Manifest.Digest(name, PathOf(name))))];
        foreach ((string name, SafeFileHandle file) in open)
        {
            disk.Flush(file, PathOf(name));
        }

        CloseShards();
        if (shards.Count > 1)
        {
            AddFile(ShardIndex.FileName, ShardPlan.Index(shards));
        }

        FileDigest[] weights = Task.WhenAll(digests).GetAwaiter().GetResult();
        IEnumerable<FileDigest> others = names.Except(weights.Select(file => file.Name)).Select(name => Manifest.Digest(name, PathOf(name)));
        AddFile(Manifest.FileName, Manifest.Build([.. weights, .. others], configuration, on, baseModel));
        folder.Commit();
        return [.. names];
    }

    /// <summary>Without a commit, removes everything that was written.</summary>
    public void Dispose()
    {
        CloseShards();
        folder.Dispose();
    }

    /// <summary>Begins to write the bytes of a tensor at byte <paramref name="from"/> of its entry.</summary>
    private void Store(IBackend backend, TensorEntry entry, long from, Tensor value)
    {
        (SafeFileHandle file, string path) = (open[entry.File], PathOf(entry.File));
        writes.Add(backend.Drain(value, (bytes, at) => disk.Write(file, path, entry.Offset + from + at, bytes)));
    }

    private void Copy(string source, string name)
    {
        using FileStream input = SideFiles.Open(source);
        using SafeFileHandle output = Create(name, input.Length);
        byte[] block = new byte[Disk.BlockBytes];
        long offset = 0;
        for (int count; (count = SideFiles.Read(input, block)) > 0; offset += count)
        {
            disk.Write(output, PathOf(name), offset, block.AsSpan(0, count));
        }

        disk.Flush(output, PathOf(name));
    }

    private SafeFileHandle Create(string name, long bytes)
    {
        if (!Manifest.IsPlainName(name) || names.Contains(name))
        {
            throw new ArgumentException($"{Untrusted.Quote(name)} is not the name of a new file", nameof(name));
        }

        SafeFileHandle file = disk.Create(PathOf(name), bytes);
        names.Add(name);
        return file;
    }

    private string PathOf(string name) => Path.Combine(folder.Location, name);

    /// <summary>Throws what a write threw that went on when <see cref="Write"/> had returned.</summary>
    private void ThrowIfFailed()
    {
        writes.RemoveAll(write => write.IsCompletedSuccessfully);
        writes.Find(write => write.IsFaulted)?.GetAwaiter().GetResult();
    }

    private void CloseShards()
    {
        writes.ForEach(write => Task.WaitAny(write));
        foreach (SafeFileHandle file in open.Values)
        {
            file.Dispose();
        }

        open.Clear();
    }
}
