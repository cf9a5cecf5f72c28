using System.Text.Json.Serialization;

namespace NativeEngine.Bench;

/// <summary>JSON of the benchmark results: snake_case, nulls left out, no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(GemmBenchResult))]
[JsonSerializable(typeof(EigenBenchResult))]
[JsonSerializable(typeof(KernelBenchResult))]
[JsonSerializable(typeof(SliceBenchResult))]
[JsonSerializable(typeof(PruneBenchResult))]
[JsonSerializable(typeof(TuneBenchResult))]
[JsonSerializable(typeof(DecodeBenchResult))]
[JsonSerializable(typeof(TokenizeBenchResult))]
public sealed partial class BenchJson : JsonSerializerContext;
