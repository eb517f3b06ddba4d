/** Reasons of an Adapter's events, beside the shared reasons. */
export const AdapterReason = {
  /** It was archived: sessions no longer choose it. */
  Archived: "Archived",
  /** It was brought back from the archive. */
  Restored: "Restored",
  /** It became the champion of a scope, or is trusted more widely. */
  Promoted: "Promoted",
  /** Another adapter became champion in its place. */
  Retired: "Retired",
  /** A manifest in the registry looks like evidence about it but isn't. */
  EvidenceIgnored: "EvidenceIgnored",
} as const;
