/** Why a trainer ended other than well, as its termination message says it. A reason is never renamed. */
export const TrainerReason = {
  /** The job document is wrong. */
  InvalidSpec: "InvalidSpec",
  /** There is no job document. */
  SpecMissing: "SpecMissing",
  /** The registry can't be reached or refuses to answer; tried again. */
  RegistryUnavailable: "RegistryUnavailable",
  /** The registry refuses the job's token. */
  RegistryDenied: "RegistryDenied",
  /** Nothing in the registry under this digest. */
  ArtifactMissing: "ArtifactMissing",
  /** The registry answered bytes that don't have the digest they were asked for by. */
  DigestMismatch: "DigestMismatch",
  /** The artifact is of another type, or not shaped like what it is used as. */
  UnexpectedArtifact: "UnexpectedArtifact",
  /** An artifact of the corpus holds no trajectory. */
  NotATrajectory: "NotATrajectory",
  /** The artifact of a parent is not that of an adapter. */
  NotAnAdapter: "NotAnAdapter",
  /** A parent knows nothing: it is a control. */
  ControlAdapter: "ControlAdapter",
  /** The staged base, or that of a parent, isn't the job's. */
  BaseMismatch: "BaseMismatch",
  /** No base is staged. */
  BaseMissing: "BaseMissing",
  /** The staged base can't be loaded. */
  BaseUnusable: "BaseUnusable",
  /** The base's chat template renders no session. */
  ChatTemplate: "ChatTemplate",
  /** Nothing in the corpus can be learnt from. */
  EmptyCorpus: "EmptyCorpus",
  /** Too much of the corpus is longer than an example may be, or it can't teach what a hypernetwork has to learn. */
  CorpusInsufficient: "CorpusInsufficient",
  /** More was learnt from than an artifact can name. */
  TooMuchLearnt: "TooMuchLearnt",
  /** The hypernetwork's training ended as collapsed. */
  Collapsed: "Collapsed",
  /** The hypernetwork was trained on another base. */
  WrongBase: "WrongBase",
  /** The hypernetwork's artifact says another rank than its settings. */
  WrongRank: "WrongRank",
  /** The hypernetwork's weights have another shape than its settings say. */
  WrongShape: "WrongShape",
  /** An adapter to imitate changes other layers than the hypernetwork. */
  WrongModules: "WrongModules",
  /** The rank of what is made is larger than a server takes. */
  RankTooLarge: "RankTooLarge",
  /** Adapters don't fit together, or don't fit the base's layers. */
  ShapeMismatch: "ShapeMismatch",
  /** The adapter to imitate changes nothing, or there is none. */
  NothingToImitate: "NothingToImitate",
  /** No program passed on a Validation task, so weights can't be searched. */
  NoValidationTasks: "NoValidationTasks",
  /** Weights or a loss hold NaN or infinity. */
  NotFinite: "NotFinite",
  /** The weights that were made may not be served. */
  UnusableAdapter: "UnusableAdapter",
  /** The checkpoint can't be written. */
  CheckpointFailed: "CheckpointFailed",
  /** More memory was needed than there is. */
  OutOfMemory: "OutOfMemory",
  /** Fewer GPUs are visible in the pod than processes should train on. */
  GPUsMissing: "GPUsMissing",
  /** SIGTERM came. */
  Terminated: "Terminated",
  /** Nobody foresaw it; tried again. */
  Unexpected: "Unexpected",
  /** The server that is asked is unavailable; tried again. */
  ServerUnavailable: "ServerUnavailable",
  /** The server refuses to answer. */
  Refused: "Refused",
  /** What answers is no OpenAI-compatible server. */
  NoCompletion: "NoCompletion",
} as const;
export type TrainerReason = (typeof TrainerReason)[keyof typeof TrainerReason];
