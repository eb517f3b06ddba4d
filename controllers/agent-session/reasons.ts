/** Reasons of an AgentSession beside the shared ones. */
export const SessionReason = {
  /** `spec.adapter.policy` is None. */
  PolicyNone: "PolicyNone",
  /** `spec.adapter.policy` is Fixed. */
  PolicyFixed: "PolicyFixed",
  /** The most relevant adapter was picked. */
  MostRelevant: "MostRelevant",
  /** No adapter is relevant; the base works alone. */
  NoneRelevant: "NoneRelevant",
  /** The named Adapter is a control, which only Evaluations use. */
  ControlAdapter: "ControlAdapter",
  /** The ModelServer doesn't exist. */
  ServerMissing: "ServerMissing",
  /** The ModelServer doesn't answer yet. */
  ServerNotReady: "ServerNotReady",
  /** As many sessions work with the server as it can decode for at once. */
  ServerBusy: "ServerBusy",
  /** The adapter is not loaded yet. */
  AdapterLoading: "AdapterLoading",
  /** The choice of memory is frozen. */
  AdapterChosen: "AdapterChosen",
  /** The agent works. */
  Working: "Working",
  /** The live log can't be read. */
  LogUnavailable: "LogUnavailable",
  /** The work is over; its trajectory is being stored. */
  Sealing: "Sealing",
  /** The log is stored as an artifact. */
  Stored: "Stored",
  /** A program passed the tests. */
  Solved: "Solved",
  /** No program passed within the attempts. */
  Exhausted: "Exhausted",
  /** The agent can't go on. */
  Aborted: "Aborted",
  /** No program can be judged by the task's tests. */
  TestsUnusable: "TestsUnusable",
  /** Nothing is learnt by itself from a session that isn't solved. */
  NotSolved: "NotSolved",
  /** The TrainingRun that learns from the session is about to be created. */
  LearningStarts: "LearningStarts",
  /** The TrainingRun that learns from the session is under way. */
  Learning: "Learning",
  /** An Adapter was made of the session. */
  AdapterMade: "AdapterMade",
  /** The TrainingRun that learnt from the session was deleted too early. */
  RunDeleted: "RunDeleted",
  /** The hypernetwork that is named makes nearly the same adapter of every session. */
  ModeCollapse: "ModeCollapse",
  /** More epochs were lost than make sense. */
  EpochsExhausted: "EpochsExhausted",
} as const;
