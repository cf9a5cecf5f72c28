using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using NativeEngine.Bench;
using NativeEngine.Cli.Commands;

namespace NativeEngine.Cli.Output;

/// <summary>Results and errors as one line of JSON.</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions Options = new(ResultJson.Default.Options)
    {
        TypeInfoResolver = JsonTypeInfoResolver.Combine(ResultJson.Default, CliJson.Default, BenchJson.Default),
        Converters = { new FiniteConverter() },

        // Made for terminals and files, not for HTML: quotes and accents stay readable, control characters are escaped all the same.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>A result.</summary>
    public static string Write(RunResult result) => JsonSerializer.Serialize(result, Options.GetTypeInfo(result.GetType()));

    /// <summary>An error.</summary>
    public static string Write(Failure failure) => JsonSerializer.Serialize(
        new ErrorDocument(1, new ErrorObject(failure.Code, failure.Exit, failure.Message, failure.File, failure.Key, failure.Expected, failure.Found, failure.Hint, failure.Retryable)),
        Options.GetTypeInfo(typeof(ErrorDocument)));

    // JSON has no NaN and no infinity; without this, one of them would lose the whole result of a long run.
    private sealed class FiniteConverter : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value))
            {
                writer.WriteNumberValue(value);
            }
            else
            {
                writer.WriteNullValue();
            }
        }
    }
}

/// <summary>The error object of --json.</summary>
internal sealed record ErrorDocument(int Schema, ErrorObject Error);

/// <summary>The facts of an error; see README, "Exit codes".</summary>
internal sealed record ErrorObject(
    string Code, int Exit, string Message, string? File, string? Key, string? Expected, string? Found, string? Hint, bool Retryable);

/// <summary>JSON of what the command line itself produces.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ErrorDocument))]
[JsonSerializable(typeof(DoctorResult))]
[JsonSerializable(typeof(DemoResult))]
internal sealed partial class CliJson : JsonSerializerContext;
