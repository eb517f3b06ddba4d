import type { AdapterEvidence } from "@rune/clients/registry/evidence";
import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { ModelServer } from "@rune/crds/kinds/model-server";

/** The artifact in the registry; `VerifiedBefore` where it needn't be read again. */
export type ArtifactState =
  | { readonly state: "VerifiedBefore" }
  | {
      readonly state: "Found";
      readonly artifactType: string | undefined;
      readonly config: AdapterConfig | undefined;
      readonly sizeBytes: number;
      /** Number of files, all of which the registry has. */
      readonly files: number;
    }
  /** `file`: the missing one, where the manifest exists. */
  | { readonly state: "Missing"; readonly file?: string }
  | { readonly state: "Mismatched" | "Unavailable"; readonly message: string };

/** The evidence in the registry; `NotRead` where it can't have changed. */
export type EvidenceState =
  | { readonly state: "NotRead" }
  /** `time`: start of the reading. */
  | ({ readonly state: "Read"; readonly time: string } & AdapterEvidence)
  | { readonly state: "Unavailable"; readonly message: string };

/** All input of a decision about one Adapter. */
export interface World {
  readonly adapter: Adapter;
  readonly artifact: ArtifactState;
  readonly evidence: EvidenceState;
  /** ModelServers of the namespace. */
  readonly servers: readonly ModelServer[];
  /** Evaluations of the namespace that have an arm with this adapter. */
  readonly evaluations: readonly Evaluation[];
  /** Objects that haven't ended and claim the adapter, as `Kind name`. */
  readonly claims: readonly string[];
  readonly namespaceTerminating: boolean;
}
