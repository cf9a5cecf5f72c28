using NativeEngine.Checkpoints;

namespace NativeEngine;

/// <summary>Reads a whole file that the user named, or that lies in a model folder: bounded, and with one error for each thing that can be wrong.</summary>
public static class InputFile
{
    /// <summary>Largest text, schedule or tokenizer file, in bytes, where nothing smaller is said.</summary>
    public const long MaxBytes = 200_000_000;

    /// <summary>The bytes of <paramref name="path"/>, which may be a pipe. Errors: NE3039 more than <paramref name="maxBytes"/>, NE5004 not there, NE5002 I/O.</summary>
    public static byte[] Read(string path, long maxBytes = MaxBytes)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            long length = file.CanSeek ? file.Length : 0;
            if (length > maxBytes)
            {
                throw TooLarge(path, $"{length} bytes", maxBytes);
            }

            // The length is a first guess: a pipe has none, and a file may grow.
            byte[] bytes = new byte[Math.Max(length + 1, 4096)];
            int used = 0;
            for (int count; (count = file.Read(bytes.AsSpan(used))) > 0;)
            {
                used += count;
                if (used > maxBytes)
                {
                    throw TooLarge(path, "more", maxBytes);
                }

                if (used == bytes.Length)
                {
                    Array.Resize(ref bytes, (int)Math.Min(2L * bytes.Length, maxBytes + 1));
                }
            }

            Array.Resize(ref bytes, used);
            return bytes;
        }
        catch (Exception e) when (Errors.IsIo(e))
        {
            throw Directory.Exists(path) ? Errors.IsFolder(path, e) : Errors.Reading(path, e);
        }
    }

    private static EngineException TooLarge(string path, string found, long maxBytes) =>
        Errors.Rule("NE3039", path, "the file is larger than what is read", expected: $"at most {maxBytes} bytes", found: found, hint: "check that the path is the one you mean");
}
