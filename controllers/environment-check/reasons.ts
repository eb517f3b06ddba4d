/** Reasons of an EnvironmentCheck beside the shared ones. */
export const CheckReason = {
  /** No node matches, or all that do are tainted. */
  NoNodes: "NoNodes",
  /** Jobs are checking the nodes. */
  CheckingNodes: "CheckingNodes",
  /** A node's Job was disrupted, or what it needs was unavailable; it is created again. */
  JobLost: "JobLost",
  /** The ModelServer of `server.serverRef` doesn't exist. */
  ServerMissing: "ServerMissing",
  /** The ModelServer isn't ready yet. */
  ServerNotReady: "ServerNotReady",
  /** The ModelServer is loading the adapter. */
  AdapterLoading: "AdapterLoading",
  /** The ModelServer is asked for the word. */
  Asking: "Asking",
  /** Every check passed or had nothing to check. */
  AllPassed: "AllPassed",
  /** A check failed. */
  SomeFailed: "SomeFailed",
  /** No check failed, and some have no result. */
  SomeUnknown: "SomeUnknown",
} as const;
