using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using NativeEngine.Checkpoints;
using NativeEngine.Kernels;
using NativeEngine.Kernels.Cpu;
using NativeEngine.Testing;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>What is written is what is read, bit by bit; and the files are those that the reference writes.</summary>
public sealed class RoundTripTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend cpu = new(1);

    public void Dispose()
    {
        cpu.Dispose();
        folder.Dispose();
    }

    /// <summary>What to write.</summary>
    public sealed class Plan
    {
        internal Plan(TensorPlan[] tensors, int shardBytes) => (Tensors, ShardBytes) = (tensors, shardBytes);

        internal TensorPlan[] Tensors { get; }

        internal int ShardBytes { get; }

        public override string ToString() => $"shards of {ShardBytes}: {string.Join(", ", (object[])Tensors)}";
    }

    /// <summary>Up to twelve tensors of any type, rank and odd names; and the size of a shard.</summary>
    public static class Plans
    {
        public static Arbitrary<Plan> Arbitrary()
        {
            Gen<Shape> shape =
                from rank in Gen.Choose(1, 4)
                from extents in Gen.Choose(0, 7).ArrayOf(rank)
                select rank switch
                {
                    1 => new Shape(extents[0]),
                    2 => new Shape(extents[0], extents[1]),
                    3 => new Shape(extents[0], extents[1], extents[2]),
                    _ => new Shape(extents[0], extents[1], extents[2], extents[3]),
                };
            Gen<string> name = Gen.Elements('a', 'B', '.', '0', '"', '\\', '\n', '<', '+', '\u00E9', '\u4E2D', '\uFFFD').ArrayOf().Select(letters => new string(letters));
            Gen<TensorPlan> tensor =
                from n in name
                from dtype in Gen.Elements(Enum.GetValues<DType>())
                from s in shape
                select new TensorPlan(n, dtype, s);
            return Arb.From(
                from tensors in tensor.ArrayOf().Resize(12)
                from shardBytes in Gen.Elements(1, 200, 2_000, 1_000_000)
                select new Plan([.. tensors.DistinctBy(t => t.Name)], shardBytes));
        }
    }

    [Property(Arbitrary = [typeof(Plans)], MaxTest = 100)]
    public void Written_tensors_read_back_bit_by_bit(Plan plan)
    {
        var random = new System.Random(plan.Tensors.Length + plan.ShardBytes);
        Dictionary<string, byte[]> bits = [];
        using (var writer = new CheckpointWriter(folder["out"], overwrite: true, plan.Tensors, plan.ShardBytes))
        {
            foreach (TensorPlan tensor in plan.Tensors.OrderBy(_ => random.Next()))
            {
                using Tensor value = cpu.Alloc(tensor.DType, tensor.Shape);
                random.NextBytes(Bytes(value));
                bits[tensor.Name] = Bytes(value).ToArray();
                writer.Write(cpu, tensor.Name, value);
            }

            writer.Commit([]);
        }

        using Checkpoint checkpoint = Checkpoint.Open(folder["out"]);
        Assert.Equal(plan.Tensors.Length, checkpoint.Tensors.Count);
        Assert.Empty(checkpoint.Notices);
        foreach (TensorPlan tensor in plan.Tensors)
        {
            TensorEntry entry = checkpoint.Tensors[tensor.Name];
            using Tensor value = cpu.Alloc(tensor.DType, tensor.Shape);
            checkpoint.Read(cpu, entry, value);
            Assert.Equal((tensor.DType, tensor.Shape, tensor.Bytes), (entry.DType, entry.Shape, entry.Bytes));
            Assert.Equal(0, entry.Offset % tensor.DType.Size());
            Assert.True(Bytes(value).SequenceEqual(bits[tensor.Name]), $"{tensor}");
        }

        Assert.Empty(Manifest.Verify(folder["out"]));
    }

    [Property(Arbitrary = [typeof(Plans)], MaxTest = 50)]
    public void A_written_file_passes_the_independent_reader(Plan plan)
    {
        foreach (ShardPlan shard in ShardPlan.Divide(plan.Tensors, plan.ShardBytes))
        {
            byte[] file = [.. shard.Header, .. new byte[shard.FileBytes - shard.Header.Length]];
            Dictionary<string, (string DType, long Offset, long Bytes)>? read = IndependentReader.Read(file);
            Assert.NotNull(read);
            Assert.All(shard.Entries, entry => Assert.Equal((entry.DType.ToString(), entry.Offset, entry.Bytes), read[entry.Name]));
            Assert.Equal(0, shard.Header.Length % 8);
        }
    }

    [SkippableTheory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-opt")]
    [InlineData("variants/llama-gqa-fp16")]
    public void A_rewritten_checkpoint_is_the_reference_writers_byte_by_byte(string model)
    {
        string source = Shared.Path("models", model);
        Copy(source, long.MaxValue, checkpoint => checkpoint.Tensors.Keys);
        Assert.Equal(File.ReadAllBytes(Path.Combine(source, Checkpoint.SingleFile)), File.ReadAllBytes(Path.Combine(folder["out"], Checkpoint.SingleFile)));
    }

    [SkippableFact]
    public void Shards_and_index_are_those_of_transformers()
    {
        string source = Shared.Path("models", "variants", "llama-bias-sharded");
        string[] parts = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm", "post_attention_layernorm"];
        Copy(source, 200_000, checkpoint =>
        [
            "model.embed_tokens.weight",
            .. from layer in Enumerable.Range(0, 2)
               from part in parts
               from kind in new[] { "weight", "bias" }
               let name = $"model.layers.{layer}.{part}.{kind}"
               where checkpoint.Tensors.ContainsKey(name)
               select name,
            "model.norm.weight",
            "lm_head.weight",
        ]);

        foreach (string shard in Directory.GetFiles(source, "*.safetensors").Select(path => Path.GetFileName(path)))
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(source, shard)), File.ReadAllBytes(Path.Combine(folder["out"], shard)));
        }

        JsonNode theirs = Index(source), ours = Index(folder["out"]);
        Assert.True(JsonNode.DeepEquals(theirs["weight_map"], ours["weight_map"]));
        Assert.Equal((long)theirs["metadata"]!["total_size"]!, (long)ours["metadata"]!["total_size"]!);

        static JsonNode Index(string path) => JsonNode.Parse(File.ReadAllText(Path.Combine(path, "model.safetensors.index.json")))!;
    }

    private void Copy(string source, long shardBytes, Func<Checkpoint, IEnumerable<string>> order)
    {
        using Checkpoint checkpoint = Checkpoint.Open(source);
        TensorPlan[] plan = [.. order(checkpoint).Select(name => checkpoint.Tensors[name]).Select(entry => new TensorPlan(entry.Name, entry.DType, entry.Shape))];
        Assert.Equal(checkpoint.Tensors.Count, plan.Length);
        using var writer = new CheckpointWriter(folder["out"], false, plan, shardBytes, source);
        foreach (TensorPlan tensor in plan)
        {
            using Tensor value = cpu.Alloc(tensor.DType, tensor.Shape);
            checkpoint.Read(cpu, checkpoint.Tensors[tensor.Name], value);
            writer.Write(cpu, tensor.Name, value);
        }

        writer.Commit([]);
    }

    private static unsafe Span<byte> Bytes(Tensor tensor) => new((void*)tensor.Address, (int)tensor.Bytes);
}
