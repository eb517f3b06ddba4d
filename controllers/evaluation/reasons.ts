/** Reasons of an Evaluation beside the shared ones. */
export const EvaluationReason = {
  /** A ModelServer of an arm doesn't exist. */
  ServerMissing: "ServerMissing",
  /** A ModelServer of an arm isn't ready yet. */
  ServerNotReady: "ServerNotReady",
  /** An arm's adapter is not loaded yet. */
  AdapterLoading: "AdapterLoading",
  /** No task of the set belongs to the part that is asked for. */
  PartEmpty: "PartEmpty",
  /** No task has an adapter among those that an arm selects, or every task has only its own. */
  NoneAssigned: "NoneAssigned",
  /** An arm has more adapters or trajectories than an evaluation accepts. */
  PlanTooLarge: "PlanTooLarge",
  /** The ConfigMap that froze what answers each task was deleted. */
  PlanLost: "PlanLost",
  /** Tasks and plan are being stored and frozen. */
  Planning: "Planning",
  /** An arm's adapter has learnt from tasks of the set. */
  TasksSeen: "TasksSeen",
  /** The smallest gain that can be shown is known. */
  PowerKnown: "PowerKnown",
  /** A gate that needs control arms has them. */
  ControlsPresent: "ControlsPresent",
  /** A gate that needs control arms lacks some. */
  ControlsMissing: "ControlsMissing",
  /** No program can be judged by the tests of a task. */
  TestsUnusable: "TestsUnusable",
  /** The set has too few clusters for any verdict of the gate. */
  TooFewTasks: "TooFewTasks",
  /** Arms are answering tasks. */
  Measuring: "Measuring",
  /** An arm is done. */
  ArmMeasured: "ArmMeasured",
  /** The live log can't be read. */
  LogUnavailable: "LogUnavailable",
  /** Measurements of adapters are being stored with them. */
  StoringEvidence: "StoringEvidence",
  /** Measurements of an adapter could not be stored with it. */
  EvidenceMissing: "EvidenceMissing",
  /** The report is stored. */
  Measured: "Measured",
  /** More epochs were lost than make sense. */
  EpochsExhausted: "EpochsExhausted",
} as const;
