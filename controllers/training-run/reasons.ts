/** Reasons of a TrainingRun beside the shared ones. */
export const RunReason = {
  /** Fewer sessions ended solved than `minimumSessions` asks for. */
  CorpusTooSmall: "CorpusTooSmall",
  /** More sessions match than one run can learn from. */
  CorpusTooLarge: "CorpusTooLarge",
  /** The sessions are too much alike to learn from what tells them apart. */
  CorpusTooUniform: "CorpusTooUniform",
  /** The artifact that the corpus names holds no trajectories. */
  NotACorpus: "NotACorpus",
  /** Too few sessions have an adapter of their own that a hypernetwork could imitate. */
  AdaptersTooFew: "AdaptersTooFew",
  /** The TrainingRun that is named doesn't exist. */
  RunMissing: "RunMissing",
  /** The TrainingRun that is named hasn't ended. */
  RunRunning: "RunRunning",
  /** A hypernetwork makes nearly the same adapter of every trajectory. */
  ModeCollapse: "ModeCollapse",
  /** A control adapter is named as a parent. */
  ControlAdapter: "ControlAdapter",
  /** The adapter to go on from has another rank, alpha or other modules. */
  ShapeMismatch: "ShapeMismatch",
  /** More GPUs are asked for than the trainer works with. */
  TooManyGPUs: "TooManyGPUs",
  /** Adapters or the hypernetwork that the run starts from are frozen. */
  InputsFrozen: "InputsFrozen",
  /** The corpus is frozen. */
  CorpusFrozen: "CorpusFrozen",
  /** The Job of an attempt waits in Kueue's queue. */
  Queued: "Queued",
  /** An attempt is under way. */
  Training: "Training",
  /** An attempt ended; another follows. */
  AttemptEnded: "AttemptEnded",
  /** The artifact is stored; its Adapter is being created. */
  Publishing: "Publishing",
  /** The Adapter exists, or all of them do. */
  AdapterCreated: "AdapterCreated",
  /** The hypernetwork is stored. */
  HypernetworkStored: "HypernetworkStored",
  /** The training of a hypernetwork ended without an alarm. */
  NoAlarm: "NoAlarm",
  /** More attempts failed or were disrupted than `retries` allows. */
  RetriesExhausted: "RetriesExhausted",
  /** The trainer was killed for taking more memory than it may. */
  OutOfMemory: "OutOfMemory",
  /** The pod was drained, evicted or preempted, and is gone. */
  Disrupted: "Disrupted",
  /** The pod vanished before it could say how it ended. */
  PodLost: "PodLost",
  /** The trainer was told to stop. */
  Terminated: "Terminated",
  /** The trainer ended with an error that it didn't name. */
  NonZeroExit: "NonZeroExit",
} as const;
