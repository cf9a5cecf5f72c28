namespace NativeEngine.Cli;

/// <summary>The terminal behind standard error; <see cref="Width"/> is 0 where progress is to be plain lines.</summary>
internal readonly record struct Terminal(int Width)
{
    /// <summary>No terminal, or one that cannot redraw a line.</summary>
    public static Terminal OfStandardError()
    {
        if (Console.IsErrorRedirected || Environment.GetEnvironmentVariable("TERM") == "dumb")
        {
            return default;
        }

        try
        {
            // One column wide is a terminal that does not tell its size.
            return new Terminal(Console.WindowWidth > 20 ? Console.WindowWidth : 0);
        }
        catch (IOException)
        {
            return default;
        }
    }
}
