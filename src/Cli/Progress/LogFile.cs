using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using NativeEngine.Cli.Commands;

namespace NativeEngine.Cli.Progress;

/// <summary>--log-file: one JSON object per line, each with <c>time</c> (UTC) and <c>event</c>; appended, and flushed line by line.</summary>
internal sealed class LogFile(string path, TimeProvider time) : IDisposable
{
    private readonly FileStream stream = new(path, FileMode.Append, FileAccess.Write, FileShare.Read);
    private readonly ArrayBufferWriter<byte> line = new();

    /// <summary>The verb and its effective configuration, which --config takes again.</summary>
    public void Start(ParseResult parse) => Write("start", json =>
    {
        json.WriteString("command", Verb.Typed(parse.CommandResult));
        json.WritePropertyName("configuration");
        ConfigFile.Describe(parse).WriteTo(json);
    });

    /// <summary>A phase began.</summary>
    public void Phase(string name, long total) => Write("phase", json =>
    {
        json.WriteString("name", name);
        json.WriteNumber("total", total);
    });

    /// <summary>A phase got somewhere.</summary>
    public void Step(string name, long done, long total, string? detail) => Write("step", json =>
    {
        json.WriteString("name", name);
        json.WriteNumber("done", done);
        json.WriteNumber("total", total);
        if (detail is not null)
        {
            json.WriteString("detail", detail);
        }
    });

    /// <summary>Something the user should know.</summary>
    public void Notice(string message) => Write("notice", json => json.WriteString("message", message));

    /// <summary>The run is over.</summary>
    public void Finish(int exit, string? error = null) => Write("finish", json =>
    {
        json.WriteNumber("exit", exit);
        if (error is not null)
        {
            json.WriteString("error", error);
        }
    });

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    private void Write(string name, Action<Utf8JsonWriter> fields)
    {
        line.Clear();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("time", time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("event", name);
            fields(json);
            json.WriteEndObject();
        }

        line.Write("\n"u8);
        stream.Write(line.WrittenSpan);
        stream.Flush();
    }
}
