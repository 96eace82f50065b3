namespace EdgeVirt.Cli;

/// <summary>What the process ends with: the whole table, for scripts to rely on.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;
    public const int Failure = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int Invalid = 4;
    public const int Unauthorized = 5;
    public const int Conflict = 6;
    public const int Unreachable = 7;
    public const int Timeout = 8;
    public const int Loss = 9;
    public const int BadImage = 10;
    public const int TargetRefused = 11;
    public const int TargetFailed = 12;
    public const int VerifyFailed = 13;
    public const int Interrupted = 130;

    /// <summary>Code and meaning, as <c>--help</c> prints them.</summary>
    public static IReadOnlyList<(int Code, string Meaning)> Table { get; } =
    [
        (Ok, "done"),
        (Failure, "failed for another reason than those below"),
        (Usage, "the command line is wrong"),
        (NotFound, "no such resource, file, container"),
        (Invalid, "a manifest or value was refused"),
        (Unauthorized, "no valid token, or the token may not do this"),
        (Conflict, "the name is taken, or somebody else was faster"),
        (Unreachable, "hub, node or agent out of reach, or not the one that was pinned"),
        (Timeout, "not done within --timeout"),
        (Loss, "something in a Compose file cannot be carried over; see --allow-loss"),
        (BadImage, "flash: the image is damaged, incomplete, or not signed as it has to be"),
        (TargetRefused, "flash: the target is in use, built in, write-protected, too small, or holds something; nothing was written"),
        (TargetFailed, "flash: the target could not be opened, written or read, or was unplugged"),
        (VerifyFailed, "flash: what was read back is not what was written, or the target has less space than it says"),
        (Interrupted, "interrupted by Ctrl-C"),
    ];

    /// <summary>The one exception from the table.</summary>
    public const string ExecNote = "'exec' ends with the exit code of the program that it ran: 126 if it cannot be run, 127 if there is none, 128 + n after signal n.";

    /// <summary>For the one word that every error of the hub carries.</summary>
    public static int OfApiCode(string code) => code switch
    {
        "Invalid" => Invalid,
        "NotFound" => NotFound,
        "Conflict" => Conflict,
        "Unauthorized" or "Forbidden" => Unauthorized,
        "Unavailable" => Unreachable,
        _ => Failure,
    };
}
