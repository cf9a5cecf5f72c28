using System.Text;
using System.Text.Json.Nodes;

namespace NativeEngine.Gpu;

/// <summary>The results of the stages side by side.</summary>
internal static class Merge
{
    private const string Results = "results.json";

    /// <summary>Writes the stages in <paramref name="folder"/> to one file there, and returns them as Markdown.</summary>
    public static string Folder(string folder)
    {
        var stages = new JsonObject();
        foreach (string file in Directory.EnumerateFiles(folder, "*.json").Where(file => Path.GetFileName(file) != Results).Order(StringComparer.Ordinal))
        {
            stages[Path.GetFileNameWithoutExtension(file)] = JsonNode.Parse(File.ReadAllText(file));
        }

        File.WriteAllText(Path.Combine(folder, Results), stages.ToJsonString(new() { WriteIndented = true }));
        var text = new StringBuilder("| stage | measured | figure | aim | reached |\n|---|---|---|---|---|\n");
        foreach ((string stage, JsonNode? content) in stages)
        {
            AppendTests(text, stage, content);
            foreach ((string check, JsonNode? tests) in content?["checks"]?.AsObject() ?? [])
            {
                AppendTests(text, $"{stage}: {check}", tests ?? new JsonObject { ["missing"] = "no result" });
            }

            foreach (JsonNode? result in content?["results"]?.AsArray() ?? [])
            {
                Append(text, stage, result!);
            }
        }

        return text.ToString();
    }

    private static void AppendTests(StringBuilder text, string stage, JsonNode? content)
    {
        if (content?["passed"] is not null)
        {
            text.Append($"| {stage} | {content["seconds"]} s | {content["passed"]} passed, {content["failed"]} failed, {content["skipped"]} skipped, ");
            text.Append($"{content["not_run"]} not run, device lost {content["devices_lost"]} times | | |\n");
        }

        if (content?["missing"] is { } missing)
        {
            text.Append($"| {stage} | not run | {missing} | | |\n");
        }
    }

    private static void Append(StringBuilder text, string stage, JsonNode result)
    {
        if (result["error"] is { } error)
        {
            text.Append($"| {stage} | error {error["code"]} | {error["message"]} | | |\n");
            return;
        }

        text.Append($"| {stage} | {result["command"]} {result["shape"]} | {result["device"]}, {Number(result["seconds"])} s | | |\n");
        foreach (JsonNode? target in result["targets"]?.AsArray() ?? [])
        {
            text.Append($"| | {target!["name"]} | {Number(target["measured"])} {target["unit"]} | {target["goal"]} | {(double)target["ratio"]!:0 %} |\n");
        }
    }

    private static string Number(JsonNode? value) => value is null ? "" : $"{(double)value:0.###}";
}
