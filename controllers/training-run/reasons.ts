/** Reasons of a TrainingRun beside the shared ones. */
export const RunReason = {
  /** A session that the corpus names doesn't exist. */
  SessionMissing: "SessionMissing",
  /** Sessions of the corpus still run. */
  SessionsRunning: "SessionsRunning",
  /** Fewer sessions ended solved than `minimumSessions` asks for. */
  CorpusTooSmall: "CorpusTooSmall",
  /** More sessions match than one run can learn from. */
  CorpusTooLarge: "CorpusTooLarge",
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
  /** The Adapter exists. */
  AdapterCreated: "AdapterCreated",
  /** More attempts failed or were disrupted than `retries` allows. */
  RetriesExhausted: "RetriesExhausted",
  /** `deadlineSeconds` are over. */
  DeadlineExceeded: "DeadlineExceeded",
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
