namespace EdgeVirt.Cli.Flash;

/// <summary>How flashing a target ended; the closed set of words in <c>--output json</c>.</summary>
internal enum FlashOutcome
{
    /// <summary>Written, read back, equal.</summary>
    Verified,

    /// <summary>Ctrl-C; the target does not boot.</summary>
    Interrupted,

    /// <summary>The image could not be read or is not what its checksums say; the target does not boot.</summary>
    ImageDamaged,

    /// <summary>The image does not fit on the target; nothing was written, or the target ended before it said it would.</summary>
    TooSmall,

    /// <summary>The target went away.</summary>
    Unplugged,

    /// <summary>The target refused a write.</summary>
    WriteFailed,

    /// <summary>The target could not be read back.</summary>
    ReadFailed,

    /// <summary>What was read back is something else.</summary>
    VerifyFailed,

    /// <summary>The target has less space than it says: what was written far behind lies somewhere else, or nowhere.</summary>
    LiesAboutSize,

    /// <summary>The image is there, but the settings of this card could not be written; the target does not boot.</summary>
    SettingsFailed,
}

/// <summary>Ends the flashing of one target.</summary>
/// <param name="outcome">How.</param>
/// <param name="message">A sentence that names target, offset and cause.</param>
/// <param name="hint">What to do.</param>
internal sealed class FlashFault(FlashOutcome outcome, string message, string hint, Exception? cause = null) : IOException(message, cause)
{
    public FlashOutcome Outcome { get; } = outcome;

    public string Hint { get; } = hint;

    /// <summary>One of <see cref="ExitCodes"/>.</summary>
    public static int ExitCodeOf(FlashOutcome outcome) => outcome switch
    {
        FlashOutcome.Verified => ExitCodes.Ok,
        FlashOutcome.Interrupted => ExitCodes.Interrupted,
        FlashOutcome.ImageDamaged => ExitCodes.BadImage,
        FlashOutcome.TooSmall => ExitCodes.TargetRefused,
        FlashOutcome.Unplugged or FlashOutcome.WriteFailed or FlashOutcome.ReadFailed => ExitCodes.TargetFailed,
        FlashOutcome.VerifyFailed or FlashOutcome.LiesAboutSize => ExitCodes.VerifyFailed,
        _ => ExitCodes.Failure,
    };
}
