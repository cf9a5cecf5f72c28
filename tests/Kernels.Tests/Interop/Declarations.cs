using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using NativeEngine.Kernels.Interop.Native;
using NativeEngine.Testing;

namespace NativeEngine.Kernels.Tests.Interop;

/// <summary>What the engine declares of the CUDA libraries, by reflection, and what their headers say.</summary>
internal static class Declarations
{
    /// <summary>The toolkits whose headers and libraries were read.</summary>
    public static readonly string[] Toolkits = ["12.1", "12.9", "13.0"];

    private static readonly Type[] Types = [.. typeof(Nvrtc).Assembly.GetTypes().Where(type => type.Namespace == typeof(Nvrtc).Namespace && !type.IsNested)];

    /// <summary>Every imported function.</summary>
    public static IReadOnlyList<MethodInfo> Imports { get; } =
    [
        .. Types.SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(method => method.GetCustomAttribute<LibraryImportAttribute>() is not null),
    ];

    /// <summary>Every enum value and constant that stands for one of a header.</summary>
    public static IReadOnlyList<(string Name, long Value)> Values { get; } =
    [
        .. Types.Where(type => type != typeof(Libraries)).SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public))
            .Where(field => field.IsLiteral)
            .Select(field => (field.Name, Convert.ToInt64(field.GetRawConstantValue()))),
    ];

    /// <summary>Every struct.</summary>
    public static IReadOnlyList<Type> Structs { get; } = [.. Types.Where(type => type.IsValueType && !type.IsEnum)];

    /// <summary>A file of the reference data, parsed.</summary>
    public static JsonElement Golden(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Shared.Path("golden", "interop", file)));
        return document.RootElement.Clone();
    }
}
