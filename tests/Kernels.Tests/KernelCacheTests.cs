using NativeEngine.Kernels.Cuda;

namespace NativeEngine.Kernels.Tests;

/// <summary>Compiled kernels on disk. Needs no CUDA.</summary>
public sealed class KernelCacheTests : IDisposable
{
    private static readonly byte[] Code = [1, 2, 3];
    private readonly string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    private readonly string compiler = Path.GetTempFileName();
    private int compilations;

    [Fact]
    public void A_source_is_compiled_once()
    {
        Assert.Equal(Code, Get("source"));
        Assert.Equal(Code, Get("source"));
        Assert.Equal(1, compilations);
    }

    [Fact]
    public void Whatever_the_code_depends_on_is_part_of_its_name()
    {
        Get("source");
        Get("other source");
        Get("source", "-DREAL=double");
        Get("source", version: new(12, 9));
        File.AppendAllText(compiler, "another build of the same version");
        Get("source");
        Assert.Equal(5, compilations);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(34)]
    public void A_damaged_entry_is_compiled_again(int bytes)
    {
        Get("source");
        string entry = Directory.GetFiles(folder).Single();
        File.WriteAllBytes(entry, File.ReadAllBytes(entry)[..bytes]);
        Assert.Equal(Code, Get("source"));
        Assert.Equal(Code, Get("source"));
        Assert.Equal(2, compilations);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_costs_time_only()
    {
        File.WriteAllText(folder, "a file");
        Assert.Equal(Code, Get("source"));
        Assert.Equal(Code, Get("source"));
        Assert.Equal(2, compilations);
        File.Delete(folder);
    }

    [Fact]
    public void The_environment_names_the_folder()
    {
        Assert.Equal("/c", KernelCache.FolderIn(name => name == KernelCache.FolderVariable ? "/c" : "/x"));
        Assert.Equal(Path.Combine("/x", "nativeengine"), KernelCache.FolderIn(name => name == "XDG_CACHE_HOME" ? "/x" : null));
        Assert.True(Path.IsPathRooted(KernelCache.FolderIn(name => name == "XDG_CACHE_HOME" ? "relative" : null)));
    }

    public void Dispose()
    {
        File.Delete(compiler);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private byte[] Get(string source, string option = "-DREAL=float", Version? version = null)
    {
        byte[] Compile()
        {
            compilations++;
            return Code;
        }

        return new KernelCache(folder).Get(source, [option], (compiler, version ?? new(12, 8)), Compile);
    }
}
