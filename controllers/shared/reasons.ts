/** Reasons of conditions that several kinds use, or that users' scripts wait for. A reason is never renamed. */
export const Reason = {
  /** `spec.requires` names a condition that isn't True yet. */
  RequirementNotMet: "RequirementNotMet",
  /** `spec.requires` names a condition that can no longer become True. */
  RequirementFailed: "RequirementFailed",
  /** `spec.suspend` is true. */
  Suspended: "Suspended",
  /** The registry is unreachable or refuses requests; Rune retries. */
  RegistryUnavailable: "RegistryUnavailable",
  /** Nothing in the registry under this digest. */
  ArtifactMissing: "ArtifactMissing",
  /** The registry returned bytes with another digest than the requested one. */
  DigestMismatch: "DigestMismatch",
  /** A repository that the spec names belongs to another namespace. */
  ForeignRepository: "ForeignRepository",
  /** The artifact is not of the kind that it is used as. */
  NotAnAdapter: "NotAnAdapter",
  /** The Adapter's spec differs from the artifact's config blob. */
  SpecDiffersFromArtifact: "SpecDiffersFromArtifact",
  /** The referenced object doesn't exist. */
  NotFound: "NotFound",
  /** The base model can't be fetched, or isn't what was expected. */
  BaseModelUnavailable: "BaseModelUnavailable",
  /** The files of the base model have another identity than before. */
  BaseModelChanged: "BaseModelChanged",
  /** More than one node per replica without the LeaderWorkerSet API. */
  LeaderWorkerSetMissing: "LeaderWorkerSetMissing",
  /** More than one node per replica, which this version does not serve. */
  NodesPerReplicaUnsupported: "NodesPerReplicaUnsupported",
  /** A quantization of the base that the engines' build doesn't have. */
  QuantizationUnsupported: "QuantizationUnsupported",
  /** An argument or variable in `spec.engine` is reserved for the operator. */
  EngineArgumentRefused: "EngineArgumentRefused",
  /** No engine serves completions yet. */
  NoEngineReady: "NoEngineReady",
  /** Fewer engines than requested serve completions. */
  EnginesStarting: "EnginesStarting",
  /** The container of an engine keeps crashing. */
  EngineCrashing: "EngineCrashing",
  /** The pods can't be scheduled. */
  Unschedulable: "Unschedulable",
  /** A container's image can't be pulled. */
  ImageUnavailable: "ImageUnavailable",
  /** A container can't be started with this configuration. */
  ContainerRefused: "ContainerRefused",
  /** A Job or a server has no pod. */
  PodMissing: "PodMissing",
  /** The API server refuses to write what the object needs; kopf-ts says it, and retries. */
  WriteFailed: "WriteFailed",
  /** A Job was suspended, but not by Rune. */
  JobSuspended: "JobSuspended",
  /** `spec.replicas` is 0. */
  ScaledToZero: "ScaledToZero",
  /** Every slot holds an adapter that is in use. */
  NoAdapterSlot: "NoAdapterSlot",
  /** A wanted adapter is about to be loaded. */
  Loading: "Loading",
  /** Every wanted adapter is loaded. */
  AllLoaded: "AllLoaded",
  /** Some replicas are serving, others are starting. */
  PartlyReady: "PartlyReady",
  /** A wanted adapter isn't verified yet. */
  AdapterNotReady: "AdapterNotReady",
  /** A wanted adapter was made for another base model. */
  BaseMismatch: "BaseMismatch",
  /** A wanted adapter's rank is larger than the server's. */
  RankTooLarge: "RankTooLarge",
  /** The adapter is loaded or claimed; its deletion is delayed. */
  InUse: "InUse",
  /** The named TrainingRun has failed. */
  RunFailed: "RunFailed",
  /** The named artifact is no hypernetwork. */
  NotAHypernetwork: "NotAHypernetwork",
  /** A named Adapter doesn't exist. */
  AdapterMissing: "AdapterMissing",
  /** A session that is named doesn't exist. */
  SessionMissing: "SessionMissing",
  /** Sessions that belong to the corpus are still running. */
  SessionsRunning: "SessionsRunning",
  /** `spec.deadlineSeconds` have passed. */
  DeadlineExceeded: "DeadlineExceeded",
  /** The task set that is named is not there: no artifact, no ConfigMap, or no entry of it. */
  TaskSetMissing: "TaskSetMissing",
  /** The named task set contains no tasks. */
  NotATaskSet: "NotATaskSet",
  /** The ConfigMap of the sandbox's library doesn't exist. */
  LibraryMissing: "LibraryMissing",
  /** The sandbox of an epoch is starting. */
  SandboxStarting: "SandboxStarting",
  /** A worker or its sandbox was lost; a new epoch continues where the log ends. */
  EpochLost: "EpochLost",
  /** The sandbox has not been tried yet. */
  NotProbed: "NotProbed",
  /** Every probe of the sandbox answered as it must. */
  ProbesAnswered: "ProbesAnswered",
  /** A probe of the sandbox answered otherwise: no program was run. */
  ProbeFailed: "ProbeFailed",
  /** A server refused an adapter. */
  AdapterRefused: "AdapterRefused",
  /** A server has loaded an adapter. */
  AdapterLoaded: "AdapterLoaded",
  /** A service that the isolation proof tries isn't there yet. */
  ProofTargetMissing: "ProofTargetMissing",
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];
