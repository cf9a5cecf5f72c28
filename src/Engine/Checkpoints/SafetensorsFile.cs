using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>
/// One safetensors file, open for reading: its header is parsed and validated, its data is read by position. Never mapped:
/// a mapping of a file that shrinks ends the process. Reads may run in parallel.
/// </summary>
internal sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly long length;
    private readonly DateTime modified;

    private SafetensorsFile(string path, SafeFileHandle handle)
    {
        Path = path;
        this.handle = handle;
        (length, modified) = Stamp();
        byte[] utf8 = ReadHeader();
        SafetensorsHeader header = SafetensorsHeader.Parse(utf8, path, length - 8 - utf8.Length);
        (Tensors, Metadata) = (header.Tensors, header.Metadata);
    }

    /// <summary>The path as it was opened.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>The strings under <c>__metadata__</c>; untrusted.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens <paramref name="path"/> and checks its header. Errors: NE3001 to NE3024 by rule, NE4001 for a pickle, NE5002 when it cannot be read.</summary>
    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return new SafetensorsFile(path, handle);
        }
        catch (Exception e)
        {
            handle?.Dispose();
            if (Errors.IsIo(e))
            {
                throw Errors.Reading(path, e);
            }

            throw;
        }
    }

    /// <summary>
    /// Reads a whole tensor into device memory, converting any float type to any other and any integer type to the other.
    /// The destination has the same number of elements and columns. Returns false when the file holds a NaN or an infinity there. Errors: NE3040 shape,
    /// NE4002 a dtype or rank that no tensor holds, NE4003 an integer tensor read as floats or the reverse, NE5002 I/O, NE5003 the file changed since it was opened.
    /// </summary>
    public bool Read(IBackend backend, TensorEntry entry, Tensor destination)
    {
        CheckReadable(entry, destination);
        bool finite = true;
        if (entry.DType == destination.DType)
        {
            finite = Fill(backend, entry, 0, destination);
        }
        else
        {
            long blockElements = Math.Min(Tile.StagingBytes / entry.DType.Size(), entry.Shape.Count);
            foreach (Tile tile in Tile.Cover(destination, Math.Max(blockElements, 1)))
            {
                using Tensor block = backend.Alloc(entry.DType, tile.View.Shape);
                finite &= Fill(backend, entry, tile.Element * entry.DType.Size(), block);
                backend.Copy(tile.View, block);
            }
        }

        CheckUnchanged();
        return finite;
    }

    /// <summary>Tells the operating system that a tensor will be read soon, where it has a call for that.</summary>
    public void Announce(TensorEntry entry)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Posix.posix_fadvise(handle, entry.Offset, entry.Bytes, Posix.POSIX_FADV_WILLNEED);
        }
    }

    /// <summary>Reads <paramref name="destination"/>.Length bytes of a tensor's data, from byte <paramref name="from"/> of it. Errors: NE5002, NE5003.</summary>
    public void ReadBytes(TensorEntry entry, long from, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, entry.Bytes - from);
        ReadAt(entry.Offset + from, destination);
    }

    /// <summary>Throws NE5003 when the file's size or time of change is no longer what it was at <see cref="Open"/>.</summary>
    public void CheckUnchanged()
    {
        try
        {
            if (Stamp() != (length, modified))
            {
                throw Changed();
            }
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(Path, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private byte[] ReadHeader()
    {
        if (length < 8)
        {
            throw Broken("NE3001", "too short for a safetensors file", "at least 8 bytes", $"{length} bytes");
        }

        Span<byte> prefix = stackalloc byte[8];
        ReadAt(0, prefix);
        ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (bytes is < 2 or > SafetensorsHeader.MaxBytes || bytes > (ulong)(length - 8))
        {
            throw prefix is [(byte)'P', (byte)'K', 3, 4, ..] or [0x80, >= 2 and <= 5, ..] ? Pickles.Refuse(Path)
                : bytes < 2 ? Broken("NE3002", "the header length is too small", "at least 2 bytes", $"{bytes} bytes")
                : bytes > SafetensorsHeader.MaxBytes ? Broken("NE3003", "the header length is over the limit", $"at most {SafetensorsHeader.MaxBytes} bytes", $"{bytes} bytes")
                : Broken("NE3004", "the header length is more than the file holds", $"at most {length - 8} bytes", $"{bytes} bytes");
        }

        byte[] header = GC.AllocateUninitializedArray<byte>((int)bytes);
        ReadAt(8, header);
        return header;
    }

    private void CheckReadable(TensorEntry entry, Tensor destination)
    {
        if (entry.Unsupported is not null)
        {
            throw Errors.Rule("NE4002", Path, $"{entry.Unsupported} cannot be read as a weight", entry.Name, "F64, F32, F16, BF16, I32 or I64 of rank 4 or less",
                hint: "convert the checkpoint to one of these types");
        }

        if (entry.Shape.Count != destination.Shape.Count || entry.Shape.Columns != destination.Columns)
        {
            throw Errors.Rule("NE3040", Path, "the stored shape is not the one the model needs", entry.Name, destination.Shape.ToString(), entry.Shape.ToString(),
                "check that config.json and the weights belong together");
        }

        if (entry.DType.IsFloat() != destination.DType.IsFloat())
        {
            throw Errors.Rule("NE4003", Path, "the stored type cannot be converted to the one asked for", entry.Name, destination.DType.ToString(), entry.DType.ToString());
        }
    }

    /// <summary>Reads a tensor's bytes from byte <paramref name="from"/> on; false when they hold a NaN or an infinity, which is looked for while they are in the cache.</summary>
    private bool Fill(IBackend backend, TensorEntry entry, long from, Tensor destination)
    {
        const int atOnce = 1 << 18;
        bool finite = true;
        backend.Fill(destination, (part, at) =>
        {
            for (int i = 0; i < part.Length; i += atOnce)
            {
                Span<byte> bytes = part.Slice(i, Math.Min(atOnce, part.Length - i));
                ReadAt(entry.Offset + from + at + i, bytes);
                if (!FloatBits.AllFinite(entry.DType, bytes))
                {
                    Volatile.Write(ref finite, false);
                }
            }
        });
        return finite;
    }

    private void ReadAt(long offset, Span<byte> destination)
    {
        try
        {
            while (!destination.IsEmpty)
            {
                int count = RandomAccess.Read(handle, destination, offset);
                if (count == 0)
                {
                    throw Changed();
                }

                offset += count;
                destination = destination[count..];
            }
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Errors.Reading(Path, e);
        }
    }

    private (long Length, DateTime Modified) Stamp() => (RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));

    private EngineException Changed() => Errors.Rule("NE5003", Path, "the input changed while it was read", hint: "run again when nothing writes to it");

    private EngineException Broken(string code, string rule, string expected, string found) =>
        Errors.Rule(code, Path, rule, null, expected, found, "the download may be incomplete: fetch the file again");
}
