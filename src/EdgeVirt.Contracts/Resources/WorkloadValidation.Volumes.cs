namespace EdgeVirt.Contracts.Resources;

internal static partial class WorkloadValidation
{
    private static HashSet<string> ValidateVolumes(IReadOnlyList<VolumeSpec> volumes, string path, Validation v)
    {
        var names = new HashSet<string>();
        for (var i = 0; i < volumes.Count; i++)
        {
            Name(volumes[i].Name, $"{path}[{i}].name", names, v);
            object?[] sources = [volumes[i].EmptyDir, volumes[i].Secret, volumes[i].Config];
            if (sources.Count(source => source is not null) != 1)
            {
                v.Add($"{path}[{i}]", "give exactly one of emptyDir, secret and config");
            }

            Mode(volumes[i].Secret?.DefaultMode, $"{path}[{i}].secret.defaultMode", v);
            Mode(volumes[i].Config?.DefaultMode, $"{path}[{i}].config.defaultMode", v);
        }

        return names;
    }

    private static void Mode(int? mode, string path, Validation v)
    {
        if (mode is < 0 or > 0x1FF)
        {
            v.Add(path, "must be permission bits between 0 and 0777, written as octal with a leading 0");
        }
    }
}
