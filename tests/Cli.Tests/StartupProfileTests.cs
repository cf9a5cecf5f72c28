namespace NativeEngine.Cli.Tests;

public sealed class StartupProfileTests
{
    [Theory]
    [InlineData("prune", true)]
    [InlineData("eval", true)]
    [InlineData("prunes", false)]
    [InlineData("../prune", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Only_a_verb_names_a_profile(string? word, bool isVerb) => Assert.Equal(isVerb, CommandLine.IsVerb(word));

    [Fact]
    public void Without_the_folder_of_a_publish_nothing_is_written()
    {
        StartupProfile.Replay("prune");

        Assert.False(Directory.Exists(Path.Combine(AppContext.BaseDirectory, "startup")));
    }
}
