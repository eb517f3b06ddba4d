import { evidenceTag } from "@rune/clients/registry/evidence";
import { type AdapterConfig, mediaType } from "@rune/crds/contracts/artifact";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { World } from "../adapter/world.ts";
import { adapter, baseDigest, digestOf } from "./objects.ts";

/** The input of a decision about an Adapter, for its tests: a new object whose artifact is there, and nothing that uses it. */
export const subjectName = "tessera-1111111111111111";

const adapterConfig: AdapterConfig = {
  schema: "rune.dev/adapter/v1",
  base: { name: "coder", digest: baseDigest },
  rank: 16,
  alpha: 32,
  targetModules: ["q_proj"],
  scope: { project: "tessera" },
  source: { kind: "Import" },
  parents: [],
  generation: 0,
  files: {},
};
export const found = (change: Partial<AdapterConfig> = {}, more: object = {}): World["artifact"] => ({
  state: "Found",
  artifactType: mediaType.adapter,
  config: { ...adapterConfig, ...change },
  sizeBytes: 100,
  files: 2,
  ...more,
});
export const worldOf = (more: Partial<World> = {}): World => ({
  adapter: adapter(subjectName, { status: undefined }),
  artifact: found(),
  evidence: { state: "NotRead" },
  servers: [],
  evaluations: [],
  claims: [],
  namespaceTerminating: false,
  ...more,
});
/** The registry's evidence, read a minute ago. */
export const read = (...pieces: Evidence[]): World["evidence"] => ({
  state: "Read",
  time: "2026-02-28T23:59:00Z",
  digest: digestOf("d"),
  evidence: pieces.map((evidence) => ({
    tag: evidenceTag(evidence.adapter.digest, evidence.kind, evidence.by.uid),
    digest: digestOf("e"),
    evidence,
  })),
  ignored: [],
});
