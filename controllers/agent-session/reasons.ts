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
  /** The ModelServer isn't ready yet. */
  ServerNotReady: "ServerNotReady",
  /** The server already has as many sessions as it decodes at once. */
  ServerBusy: "ServerBusy",
  /** The adapter is not loaded yet. */
  AdapterLoading: "AdapterLoading",
  /** The choice of memory is frozen. */
  AdapterChosen: "AdapterChosen",
  /** The agent is working. */
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
  /** Only solved sessions are learnt from automatically. */
  NotSolved: "NotSolved",
  /** The TrainingRun that learns from the session is about to be created. */
  LearningStarts: "LearningStarts",
  /** The TrainingRun that learns from the session is running. */
  Learning: "Learning",
  /** An Adapter was made from the session. */
  AdapterMade: "AdapterMade",
  /** The TrainingRun that learnt from the session was deleted before it ended. */
  RunDeleted: "RunDeleted",
  /** The named hypernetwork makes nearly the same adapter from every session. */
  ModeCollapse: "ModeCollapse",
  /** Too many epochs were lost. */
  EpochsExhausted: "EpochsExhausted",
} as const;
