/** Reasons of a TrainingRun beside the shared ones. */
export const RunReason = {
  /** Fewer sessions ended solved than `minimumSessions` asks for. */
  CorpusTooSmall: "CorpusTooSmall",
  /** More sessions match than one run can learn from. */
  CorpusTooLarge: "CorpusTooLarge",
  /** The sessions are too similar to learn from their differences. */
  CorpusTooUniform: "CorpusTooUniform",
  /** The artifact that the corpus names contains no trajectories. */
  NotACorpus: "NotACorpus",
  /** Too few sessions have an adapter of their own that a hypernetwork could imitate. */
  AdaptersTooFew: "AdaptersTooFew",
  /** The named TrainingRun doesn't exist. */
  RunMissing: "RunMissing",
  /** The named TrainingRun hasn't ended. */
  RunRunning: "RunRunning",
  /** A hypernetwork makes nearly the same adapter from every trajectory. */
  ModeCollapse: "ModeCollapse",
  /** A control adapter is named as a parent. */
  ControlAdapter: "ControlAdapter",
  /** The adapter to continue from has another rank, alpha or other modules. */
  ShapeMismatch: "ShapeMismatch",
  /** More GPUs are requested than the trainer uses. */
  TooManyGPUs: "TooManyGPUs",
  /** Adapters or the hypernetwork that the run starts from are frozen. */
  InputsFrozen: "InputsFrozen",
  /** The corpus is frozen. */
  CorpusFrozen: "CorpusFrozen",
  /** The Job of an attempt waits in Kueue's queue. */
  Queued: "Queued",
  /** An attempt is running. */
  Training: "Training",
  /** An attempt ended; another follows. */
  AttemptEnded: "AttemptEnded",
  /** The artifact is stored; its Adapter is being created. */
  Publishing: "Publishing",
  /** The Adapter exists, or all of them do. */
  AdapterCreated: "AdapterCreated",
  /** The hypernetwork is stored. */
  HypernetworkStored: "HypernetworkStored",
  /** A hypernetwork's training ended without an alarm. */
  NoAlarm: "NoAlarm",
  /** More attempts failed or were disrupted than `retries` allows. */
  RetriesExhausted: "RetriesExhausted",
  /** The trainer was killed for taking more memory than it may. */
  OutOfMemory: "OutOfMemory",
  /** The pod was drained, evicted or preempted, and deleted. */
  Disrupted: "Disrupted",
  /** The pod vanished before it could report how it ended. */
  PodLost: "PodLost",
  /** The trainer received SIGTERM. */
  Terminated: "Terminated",
  /** The trainer failed without a reason. */
  NonZeroExit: "NonZeroExit",
} as const;
