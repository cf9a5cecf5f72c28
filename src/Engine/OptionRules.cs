namespace NativeEngine;

/// <summary>What an options record refuses before a call of the engine does anything.</summary>
internal static class OptionRules
{
    /// <summary>NE2050 where <paramref name="found"/> is not <paramref name="expected"/>.</summary>
    public static void Require(bool holds, string option, object? found, string expected)
    {
        if (!holds)
        {
            throw new EngineException("NE2050", $"value of '{option}' is not allowed") { Key = option, Found = FormattableString.Invariant($"{found}"), Expected = expected };
        }
    }

    /// <summary>NE2050 where a number is below <paramref name="least"/>; null is no number.</summary>
    public static void AtLeast(int least, string option, int? number) => Require(number is null || number >= least, option, number, $"a whole number, {least} or more");

    /// <summary>NE2051 where options contradict each other, or need another one; <paramref name="message"/> says which.</summary>
    public static void Contradict(bool contradiction, string message)
    {
        if (contradiction)
        {
            throw new EngineException("NE2051", message);
        }
    }
}
