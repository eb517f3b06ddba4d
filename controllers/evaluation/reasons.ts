/** Reasons of an Evaluation beside the shared ones. */
export const EvaluationReason = {
  /** A ModelServer of an arm doesn't exist. */
  ServerMissing: "ServerMissing",
  /** A ModelServer of an arm doesn't answer yet. */
  ServerNotReady: "ServerNotReady",
  /** An arm's Adapter doesn't exist. */
  AdapterMissing: "AdapterMissing",
  /** An arm's adapter is not loaded yet. */
  AdapterLoading: "AdapterLoading",
  /** An arm's adapter was refused by its server. */
  AdapterRefused: "AdapterRefused",
  /** The task set is not in the registry. */
  TaskSetMissing: "TaskSetMissing",
  /** What spec.taskSet names holds no tasks. */
  NotATaskSet: "NotATaskSet",
  /** No program can be judged by the tests of a task. */
  TestsUnusable: "TestsUnusable",
  /** Arms answer tasks. */
  Measuring: "Measuring",
  /** An arm is done. */
  ArmMeasured: "ArmMeasured",
  /** The live log can't be read. */
  LogUnavailable: "LogUnavailable",
  /** The report is stored. */
  Measured: "Measured",
  /** `deadlineSeconds` are over. */
  DeadlineExceeded: "DeadlineExceeded",
  /** More epochs were lost than make sense. */
  EpochsExhausted: "EpochsExhausted",
} as const;
