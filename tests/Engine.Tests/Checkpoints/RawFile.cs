using System.Buffers.Binary;
using System.Text;

namespace NativeEngine.Tests.Checkpoints;

/// <summary>Safetensors bytes put together by hand, valid or not.</summary>
internal static class RawFile
{
    /// <summary>Length, header as it stands, and so many bytes of data (1, 2, 3, ...).</summary>
    public static byte[] Make(string header, int dataBytes) => Make(Encoding.UTF8.GetBytes(header), dataBytes);

    public static byte[] Make(byte[] header, int dataBytes) => Make((ulong)header.Length, header, dataBytes);

    public static byte[] Make(ulong headerLength, byte[] header, int dataBytes)
    {
        byte[] file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerLength);
        header.CopyTo(file, 8);
        for (int i = 0; i < dataBytes; i++)
        {
            file[8 + header.Length + i] = (byte)(i + 1);
        }

        return file;
    }

    /// <summary>A header with F32 vectors of the given names, four elements each.</summary>
    public static byte[] Vectors(params string[] names) => Make(
        "{" + string.Join(",", names.Select((name, i) => $$"""{{'"'}}{{name}}":{"dtype":"F32","shape":[4],"data_offsets":[{{16 * i}},{{16 * i + 16}}]}""")) + "}", 16 * names.Length);
}
