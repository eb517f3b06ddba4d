/** Reasons of conditions that more than one kind uses, or that people's scripts wait for. A reason is never renamed. */
export const Reason = {
  /** `spec.requires` names a condition that isn't True yet. */
  RequirementNotMet: "RequirementNotMet",
  /** `spec.requires` names a condition that can't become True any more. */
  RequirementFailed: "RequirementFailed",
  /** `spec.suspend` is true. */
  Suspended: "Suspended",
  /** The registry can't be reached or refuses to answer; tried again. */
  RegistryUnavailable: "RegistryUnavailable",
  /** Nothing in the registry under this digest. */
  ArtifactMissing: "ArtifactMissing",
  /** The registry answered bytes that don't have the digest they were asked for by. */
  DigestMismatch: "DigestMismatch",
  /** A repository that the spec names belongs to another namespace. */
  ForeignRepository: "ForeignRepository",
  /** The artifact is not of the kind that it is used as. */
  NotAnAdapter: "NotAnAdapter",
  /** The Adapter's spec says something else than the artifact's config blob. */
  SpecDiffersFromArtifact: "SpecDiffersFromArtifact",
  /** The object that is referred to doesn't exist. */
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
  /** An argument or variable of `spec.engine` is the operator's own. */
  EngineArgumentRefused: "EngineArgumentRefused",
  /** No engine answers completions yet. */
  NoEngineReady: "NoEngineReady",
  /** Fewer engines than asked for answer completions. */
  EnginesStarting: "EnginesStarting",
  /** The container of an engine keeps ending. */
  EngineCrashing: "EngineCrashing",
  /** The pods can't be scheduled. */
  Unschedulable: "Unschedulable",
  /** A container's image can't be pulled. */
  ImageUnavailable: "ImageUnavailable",
  /** A container can't be started as it is described. */
  ContainerRefused: "ContainerRefused",
  /** A Job or a server has no pod. */
  PodMissing: "PodMissing",
  /** A Job is suspended, and not by Rune. */
  JobSuspended: "JobSuspended",
  /** `spec.replicas` is 0. */
  ScaledToZero: "ScaledToZero",
  /** Every slot is taken by an adapter that is in use. */
  NoAdapterSlot: "NoAdapterSlot",
  /** A wanted adapter is about to be loaded. */
  Loading: "Loading",
  /** Every wanted adapter is loaded. */
  AllLoaded: "AllLoaded",
  /** Some replicas answer, others are on their way. */
  PartlyReady: "PartlyReady",
  /** A wanted adapter isn't verified yet. */
  AdapterNotReady: "AdapterNotReady",
  /** A wanted adapter was made for another base model. */
  BaseMismatch: "BaseMismatch",
  /** A wanted adapter's rank is larger than the server's. */
  RankTooLarge: "RankTooLarge",
  /** The adapter is loaded or claimed; its deletion waits. */
  InUse: "InUse",
  /** The TrainingRun that is named has failed. */
  RunFailed: "RunFailed",
  /** What is named as a hypernetwork is none. */
  NotAHypernetwork: "NotAHypernetwork",
  /** An Adapter that is named doesn't exist. */
  AdapterMissing: "AdapterMissing",
  /** A session that is named doesn't exist. */
  SessionMissing: "SessionMissing",
  /** Sessions that belong to the corpus still run. */
  SessionsRunning: "SessionsRunning",
  /** `spec.deadlineSeconds` is over. */
  DeadlineExceeded: "DeadlineExceeded",
  /** The task set that is named is not there: no artifact, no ConfigMap, or no entry of it. */
  TaskSetMissing: "TaskSetMissing",
  /** What is named as a task set holds no tasks. */
  NotATaskSet: "NotATaskSet",
  /** The ConfigMap of the sandbox's library doesn't exist. */
  LibraryMissing: "LibraryMissing",
  /** The sandbox of an epoch is starting. */
  SandboxStarting: "SandboxStarting",
  /** A worker or its sandbox was lost; a new epoch goes on where the log ends. */
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
