namespace NativeEngine.Checkpoints;

/// <summary>Token windows of equal width, row after row, with a mask of the same size where some are padded.</summary>
public sealed record TokenWindows(int[] Ids, int[]? Mask, int Rows, int Width);
