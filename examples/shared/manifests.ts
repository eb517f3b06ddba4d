import { label } from "@rune/crds/words/labels";

/** A manifest as a person would write it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: object;
  data?: Record<string, string>;
}

/** A dedicated namespace of an example, recognized by the labels `own`. */
export function namespaceManifest(name: string, own: Readonly<Record<string, string>>): Manifest {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted", ...own } },
  };
}

/** The adapters of a run for an arm, one per task. */
export const ofRun = (run: string, assign: "Scope" | "Shuffled") => ({ adapters: { matchLabels: { [label.run]: run }, assign } });
