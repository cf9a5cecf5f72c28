using System.Text.Json;
using System.Text.Json.Nodes;
using NativeEngine.Testing;

namespace NativeEngine.Cli.Tests;

/// <summary><c>tune</c> and <c>merge</c> with inputs that are broken, or that do not fit: one line says which and why, and nothing is written.</summary>
public sealed class TuneErrorTests : IDisposable
{
    private const string Good = """[{"instruction":"Say no.","output":"No."},{"instruction":"Name a city.","input":"","output":"London"}]""";
    private static readonly string Model = Path.Combine(Shared.Root, "samples", "sample-llama");

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("""[{"instruction":"a","output":"b"},{"instruction":"a"}]""", "NE3202", "record 2 (line 1) has no text in the field 'output'", "output", "fields instruction")]
    [InlineData("""[{"instruction":"a","output":"b"},{"question":"a","answer":"b"}]""", "NE3202", "record 2 (line 1) has no text in the field 'instruction'", "instruction", "fields question, answer")]
    [InlineData("""{"instruction":"a","output":["b"]}""", "NE3202", "record 1 (line 1) has no text in the field 'output'", "output", """["b"]""")]
    [InlineData("[1]", "NE3201", "record 1 (line 1) is not an object", null, "1")]
    [InlineData("""[{"instruction":"a","output":"b"}""", "NE3200", "not valid JSON at record 2 (line 1)", null, null)]
    [InlineData("a text", "NE3200", "not valid JSON at record 1 (line 1)", null, null)]
    [InlineData("[]", "NE3203", "the file holds no records", null, "2 bytes")]
    [InlineData("", "NE3203", "the file holds no records", null, "0 bytes")]
    public void Broken_records(string content, string code, string message, string? key, string? found)
    {
        string data = folder.File("data.json", content);
        JsonElement error = Fails(code, 3, "tune", Model, folder.File("out"), "--data", data);
        Assert.StartsWith(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal((data, key, found), (Text(error, "file"), Text(error, "key"), Text(error, "found")));
        Assert.Contains("--format text", Text(error, "hint"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("data.txt", "", "NE3152", 3)]
    [InlineData("data.txt", " \n\n", "NE3152", 3)]
    [InlineData("data.jsonl", """{"txt":"a"}""", "NE3157", 3)]
    [InlineData("data.json", Good, "NE4110", 4)]
    [InlineData("data.safetensors", "", "NE3001", 3)]
    public void Broken_text(string name, string content, string code, int exit) =>
        Fails(code, exit, "tune", Model, folder.File("out"), "--format", "text", "--data", folder.File(name, content));

    [Theory]
    [InlineData("NE5004", 5, "--data", "none.json")]
    [InlineData("NE5004", 5, "--eval-data", "none.json")]
    [InlineData("NE5002", 5, "--data", ".")]
    [InlineData("NE5002", 5, "--data", ".", "--format", "text")]
    [InlineData("NE3204", 3, "--cutoff", "8")]
    [InlineData("NE2041", 2, "--eval-samples", "2")]
    [InlineData("NE2042", 2, "--epochs", "2147483647", "--batch", "1")]
    [InlineData("NE10008", 10, "--alpha", "1e300", "--steps", "1")]
    [InlineData("NE10004", 10, "--lr", "1e300", "--warmup", "0", "--steps", "1")]
    public void Values_that_cannot_be_served(string code, int exit, params string[] options) =>
        Fails(code, exit, ["tune", Model, folder.File("out"), .. options.Contains("--data") ? [] : new[] { "--data", folder.File("data.json", Good) }, .. options]);

    [Fact]
    public void Extreme_values_that_mean_something_are_served()
    {
        const string Most = "2147483647";
        string[] args =
        [
            "tune", Model, folder.File("out"), "--data", folder.File("data.json", Good), "--json", "--steps", "1", "--batch", Most, "--micro-batch", Most, "--cutoff", Most,
            "--warmup", Most, "--eval-samples", "1", "--eval-every", Most, "--patience", Most, "--dropout", "0.999999", "--lr", "1e-300", "--clip", "1e-300", "--weight-decay", "1",
            "--targets", "q,q,down", "--rank", "300", "--seed", "-9223372036854775808", "--activation-memory", "0", "--device", "cpu", "--threads", "1", "--resume",
        ];
        Outcome outcome = Cli.Run(args, new EngineCalls());
        Assert.True(outcome.Exit == 0, outcome.Error);
        Assert.Equal([0, 1], outcome.Json.GetProperty("evaluations").EnumerateArray().Select(e => e.GetProperty("step").GetInt32()));
        Assert.Equal(outcome.Json.GetProperty("eval_loss").GetDouble(), outcome.Json.GetProperty("evaluations")[0].GetProperty("loss").GetDouble());
    }

    [Fact]
    public void A_model_or_an_output_that_is_not_one()
    {
        string data = folder.File("data.json", Good);
        Fails("NE5001", 5, "tune", folder.File("none"), folder.File("out"), "--data", data);
        Fails("NE5001", 5, "merge", folder.File("none"), folder.File("none"), folder.File("out"));
        Fails("NE5001", 5, "merge", Model, folder.File("none"), folder.File("out"));
        Fails("NE3210", 3, "merge", Model, Model, folder.File("out"));
        Fails("NE11002", 11, "tune", Model, data, "--data", data);
        Fails("NE11004", 11, "tune", Model, Model, "--data", data, "--overwrite");
        Fails("NE11001", 11, "tune", Model, folder.FullName, "--data", data);
        Fails("NE11003", 11, "tune", Model, folder.FullName, "--data", data, "--overwrite");
    }

    [Fact]
    public void An_adapter_that_does_not_fit_names_the_tensor()
    {
        string adapter = Adapter();
        JsonElement error = Fails("NE3213", 3, "merge", Shared.Fixture("llama-mha"), adapter, folder.File("out"));
        Assert.Equal("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", Text(error, "key"));
        Assert.Equal("(4, 256)", Text(error, "found"));
        Assert.Equal(Path.Combine(adapter, "adapter_model.safetensors"), Text(error, "file"));

        string config = Path.Combine(adapter, "adapter_config.json");
        JsonObject changed = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        changed["target_modules"] = new JsonArray("v_proj");
        File.WriteAllText(config, changed.ToJsonString());
        Assert.Equal("base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight", Text(Fails("NE3211", 3, "merge", Model, adapter, folder.File("out")), "key"));
        Assert.Contains("'merge' puts it into its model", Text(Fails("NE3051", 3, "inspect", adapter), "hint"), StringComparison.Ordinal);
    }

    private string Adapter()
    {
        string output = folder.File("adapter");
        Outcome outcome = Cli.Run(["tune", Model, output, "--data", folder.File("data.json", Good), "--targets", "q", "--rank", "4", "--steps", "1", "--device", "cpu"], new EngineCalls());
        Assert.True(outcome.Exit == 0, outcome.Error);
        return output;
    }

    private static string? Text(JsonElement error, string field) => error.TryGetProperty(field, out JsonElement value) ? value.GetString() : null;

    private JsonElement Fails(string code, int exit, params string[] args)
    {
        string[] before = Directory.GetFileSystemEntries(folder.FullName);
        Outcome outcome = Cli.Run([.. args, "--device", "cpu", "--quiet", "--json"], new EngineCalls());
        Assert.StartsWith($"error {code}: ", outcome.Error, StringComparison.Ordinal);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Equal(exit, outcome.Exit);
        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(folder.FullName).Order());
        return outcome.Json.GetProperty("error");
    }
}
