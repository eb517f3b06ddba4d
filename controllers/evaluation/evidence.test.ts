import { evidenceTag } from "@rune/clients/registry/evidence";
import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
import { anEvaluation, now } from "../testing/builders.ts";
import { aPlan } from "../testing/evaluation-world.ts";
import { digestOf } from "../testing/objects.ts";
import { observeEvidence } from "./evidence.ts";

let memory: MemoryRegistry;
let digest: string;
beforeEach(async () => {
  memory = await MemoryRegistry.start();
  const config = { mediaType: mediaType.adapter, ...memory.put({}) };
  digest = memory.put({ schemaVersion: 2, artifactType: mediaType.adapter, config, layers: [] }).digest;
});
afterEach(() => memory.stop());

/** The state after the second arm's evaluator has ended with the report. */
function observe(report: object | null = { repository: "rune/team/reports", digest: digestOf("e") }) {
  const [base, second] = aPlan().arms;
  const adapters = [{ name: "tessera-1", repository: "rune/team/adapters", digest, generation: 0 }];
  const plan = aPlan({ arms: base && second ? [base, { ...second, adapters }] : [] });
  const arms = [
    { name: "base", completed: 20, total: 20 },
    { name: "adapter", completed: 0, total: 20, adapterDigest: digest },
  ];
  const passAt1 = { estimate: 0.5, lower: 0.4, upper: 0.6 };
  const output = { arms: [{ name: "adapter", completed: 20, passAt1 }], ...(report && { report }) };
  const worker = { state: "Ended" as const, permanent: false, reason: "", message: "", output };
  const clock = { now: () => 0, wait: async () => undefined, random: () => 0 };
  const services = { registry: () => new Registry({ url: memory.url, clock }) } as unknown as Services;
  return observeEvidence({ evaluation: anEvaluation({ status: { arms, activeArms: ["adapter"] } }), plan, worker }, services, now);
}

it("what isn't with the adapter yet is to be stored there, once the report is", async () => {
  expect(await observe()).toMatchObject({
    unstored: [{ repository: "rune/team/adapters", evidence: { adapter: { name: "tessera-1", digest }, passAt1: { estimate: 0.5 } } }],
    refused: [],
  });
  memory.requests.length = 0;
  expect(await observe(null)).toEqual({ unstored: [], refused: [] });
  expect(memory.requests).toEqual([]);
});

it("what can't ever be stored is told, and what can't be seen now is tried again", async () => {
  const tag = evidenceTag(digest, "Evaluation", anEvaluation().metadata.uid);
  memory.put({ schemaVersion: 2, config: { mediaType: "x", ...memory.put({}) }, layers: [] }, tag);
  expect(await observe()).toEqual({ unstored: [], refused: [expect.stringContaining(`${tag} leads to`)] });
  memory.lose(tag);
  memory.lose(digest);
  expect(await observe()).toEqual({ unstored: [], refused: [expect.stringContaining("the registry has no rune/team/adapters@")] });
  memory.away = true;
  expect(await observe()).toEqual({ unavailable: expect.stringContaining("could not be reached") });
});
