using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeEngine.Kernels;

namespace NativeEngine.Checkpoints;

/// <summary>One safetensors file of an output, laid out before any weight is known.</summary>
/// <param name="FileName">NAME.safetensors or NAME-NNNNN-of-NNNNN.safetensors; NAME is "model" in a Hugging Face folder</param>
/// <param name="Header">the first bytes of the file: length, JSON, padding</param>
/// <param name="Entries">where each tensor goes</param>
internal sealed record ShardPlan(string FileName, byte[] Header, IReadOnlyList<TensorEntry> Entries)
{
    /// <summary>Writes names as they are: a tensor name is not HTML.</summary>
    public static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Bytes of the whole file.</summary>
    public long FileBytes => Header.Length + Entries.Sum(entry => entry.Bytes);

    /// <summary>
    /// Divides tensors into files as transformers does: in the order given, a file ends where the next tensor would exceed
    /// <paramref name="maxShardBytes"/>; a tensor that exceeds it alone has a file of its own.
    /// </summary>
    public static IReadOnlyList<ShardPlan> Divide(IReadOnlyList<TensorPlan> plan, long maxShardBytes, string name = "model")
    {
        CheckNames(plan);
        List<List<TensorPlan>> shards = [];
        List<TensorPlan> open = [];
        long openBytes = 0;
        foreach (TensorPlan tensor in plan)
        {
            if (tensor.Bytes > maxShardBytes)
            {
                shards.Add([tensor]);
                continue;
            }

            if (openBytes + tensor.Bytes > maxShardBytes)
            {
                shards.Add(open);
                (open, openBytes) = ([], 0);
            }

            open.Add(tensor);
            openBytes += tensor.Bytes;
        }

        if (open.Count > 0 || shards.Count == 0)
        {
            shards.Add(open);
        }

        return [.. shards.Select((tensors, i) => LayOut(shards.Count == 1 ? $"{name}.safetensors" : $"{name}-{i + 1:D5}-of-{shards.Count:D5}.safetensors", tensors))];
    }

    /// <summary>The index of several shards.</summary>
    public static byte[] Index(IReadOnlyList<ShardPlan> shards)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, JsonOptions with { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", shards.Sum(shard => shard.Entries.Sum(entry => entry.Bytes)));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (TensorEntry entry in shards.SelectMany(shard => shard.Entries).OrderBy(entry => entry.Name, StringComparer.Ordinal))
            {
                json.WriteString(entry.Name, entry.File);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <summary>Orders tensors as the reference does: the widest types first, so that all data is aligned, then by name.</summary>
    private static ShardPlan LayOut(string fileName, IEnumerable<TensorPlan> tensors)
    {
        TensorPlan[] inOrder = [.. tensors.OrderByDescending(t => StoredType.Rank(t.DType)).ThenBy(t => t.Name, StringComparer.Ordinal)];
        byte[] header = WriteHeader(inOrder);
        List<TensorEntry> entries = [];
        long offset = header.Length;
        foreach (TensorPlan tensor in inOrder)
        {
            entries.Add(new TensorEntry(tensor.Name, tensor.DType, tensor.Shape, fileName, offset, tensor.Bytes));
            offset += tensor.Bytes;
        }

        return new ShardPlan(fileName, header, entries);
    }

    private static byte[] WriteHeader(IReadOnlyList<TensorPlan> tensors)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, JsonOptions))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            long begin = 0;
            foreach (TensorPlan tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", StoredType.All[StoredType.Rank(tensor.DType)].Name);
                json.WriteStartArray("shape");
                for (int i = 0; i < tensor.Shape.Rank; i++)
                {
                    json.WriteNumberValue(tensor.Shape[i]);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(begin);
                json.WriteNumberValue(begin += tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        int padded = (buffer.WrittenCount + 7) / 8 * 8;
        byte[] header = new byte[8 + padded];
        BinaryPrimitives.WriteInt64LittleEndian(header, padded);
        header.AsSpan(8).Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(header.AsSpan(8));
        return header;
    }

    private static void CheckNames(IReadOnlyList<TensorPlan> plan)
    {
        HashSet<string> names = ["__metadata__"];
        foreach (TensorPlan tensor in plan)
        {
            if (!names.Add(tensor.Name) || System.Text.Encoding.UTF8.GetByteCount(tensor.Name) > SafetensorsHeader.MaxNameBytes)
            {
                throw new ArgumentException($"the tensor name {Untrusted.Quote(tensor.Name)} is taken, reserved or too long", nameof(plan));
            }
        }
    }
}
