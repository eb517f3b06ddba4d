import type { AdapterEvidence } from "@rune/clients/registry/evidence";
import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { ModelServer } from "@rune/crds/kinds/model-server";

/** What the registry says of the artifact; `verifiedBefore` where it needn't be asked again. */
export type ArtifactState =
  | { readonly state: "VerifiedBefore" }
  | {
      readonly state: "Found";
      readonly artifactType: string | undefined;
      readonly config: AdapterConfig | undefined;
      readonly sizeBytes: number;
      /** Files, each of which the registry has. */
      readonly files: number;
    }
  /** `file`: the one that is missing, where the manifest is there. */
  | { readonly state: "Missing"; readonly file?: string }
  | { readonly state: "Mismatched" | "Unavailable"; readonly message: string };

/** What the registry says of its evidence; `NotRead` where it can't have changed. */
export type EvidenceState =
  | { readonly state: "NotRead" }
  /** `time`: when the reading began. */
  | ({ readonly state: "Read"; readonly time: string } & AdapterEvidence)
  | { readonly state: "Unavailable"; readonly message: string };

/** Everything that a pass over one Adapter knows. */
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
