/** Reasons of an Adapter's events, beside the shared reasons. */
export const AdapterReason = {
  /** It was archived: no session chooses it any more. */
  Archived: "Archived",
  /** It was brought back from the archive. */
  Restored: "Restored",
  /** It became the champion of a scope, or is trusted more widely. */
  Promoted: "Promoted",
  /** Another one became champion in its place. */
  Retired: "Retired",
  /** What looks like evidence about it in the registry isn't. */
  EvidenceIgnored: "EvidenceIgnored",
} as const;
