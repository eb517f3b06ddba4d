/** Reasons of an EnvironmentCheck beside the shared ones. */
export const CheckReason = {
  /** No node matches, or all that do are tainted. */
  NoNodes: "NoNodes",
  /** Jobs look at the nodes. */
  CheckingNodes: "CheckingNodes",
  /** The ModelServer of `server.serverRef` doesn't exist. */
  ServerMissing: "ServerMissing",
  /** The ModelServer doesn't answer yet. */
  ServerNotReady: "ServerNotReady",
  /** The ModelServer loads the adapter. */
  AdapterLoading: "AdapterLoading",
  /** The ModelServer is asked for the word. */
  Asking: "Asking",
  /** Every check passed or had nothing to check. */
  AllPassed: "AllPassed",
  /** A check failed. */
  SomeFailed: "SomeFailed",
  /** No check failed, and of some nothing is known. */
  SomeUnknown: "SomeUnknown",
} as const;
