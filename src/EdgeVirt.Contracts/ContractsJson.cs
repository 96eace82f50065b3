using System.Text.Json;
using System.Text.Json.Serialization;
using EdgeVirt.Contracts.Api;
using EdgeVirt.Contracts.Boards;
using EdgeVirt.Contracts.Resources;

namespace EdgeVirt.Contracts;

/// <summary>How every contract is written as JSON: camel case, enums by name, absent rather than null.</summary>
/// <remarks>Generated readers set init properties that a text leaves out to the default of their type. A property with a
/// default of its own therefore turns null into that default, or has a setter.</remarks>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.Strict,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Resource))]
[JsonSerializable(typeof(ResourceList))]
[JsonSerializable(typeof(WatchEvent))]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(ApplyResult))]
[JsonSerializable(typeof(ClaimTokenIssued))]
[JsonSerializable(typeof(VersionAnswer))]
[JsonSerializable(typeof(TelemetryQueryResult))]
[JsonSerializable(typeof(AuditList))]
[JsonSerializable(typeof(LocalImageList))]
[JsonSerializable(typeof(LocalSummary))]
[JsonSerializable(typeof(LocalVolumeList))]
[JsonSerializable(typeof(LocalSnapshotList))]
[JsonSerializable(typeof(VolumeBackupList))]
[JsonSerializable(typeof(VolumeTransfer))]
[JsonSerializable(typeof(WorkloadSpec))]
[JsonSerializable(typeof(VirtualMachineSpec))]
[JsonSerializable(typeof(NodeSpec))]
[JsonSerializable(typeof(BoardClaimSpec))]
[JsonSerializable(typeof(SecretSpec))]
[JsonSerializable(typeof(ConfigSpec))]
[JsonSerializable(typeof(WorkloadStatus))]
[JsonSerializable(typeof(WorkloadInstanceStatus))]
[JsonSerializable(typeof(VirtualMachineStatus))]
[JsonSerializable(typeof(VirtualMachineInstanceStatus))]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(BoardClaimStatus))]
[JsonSerializable(typeof(NodeDocument))]
[JsonSerializable(typeof(BoardSettings))]
[JsonSerializable(typeof(BoardDefinition))]
[JsonSerializable(typeof(BoardList))]
[JsonSerializable(typeof(ImageManifest))]
public sealed partial class ContractsJson : JsonSerializerContext;
