import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
import { digestOf } from "../testing/objects.ts";
import { readResults, resultsOf } from "./results.ts";

const report = (uid: string, passed: Record<string, number>) => ({
  evaluation: { uid },
  samples: 5,
  arms: [
    { name: "base" },
    { name: "a1", adapterDigest: digestOf("1") },
    { name: "mixed", assigned: { adapters: 2 } },
    { name: "told", adapterDigest: digestOf("2"), context: { as: "Notes" } },
  ],
  matrix: [{ task: "t1", passed }],
});

describe("results of reports", () => {
  it("are shares of an adapter's programs by task; what measures more than one adapter's weights says nothing of it", () => {
    expect(resultsOf([report("x", { base: 1, a1: 4, mixed: 5, told: 5 })])).toEqual(
      new Map([
        ["base", new Map([["t1", 0.2]])],
        [digestOf("1"), new Map([["t1", 0.8]])],
      ]),
    );
  });

  it("are as the first report says where two measured the same", () => {
    expect(resultsOf([report("x", { a1: 4 }), report("y", { a1: 0 })]).get(digestOf("1"))).toEqual(new Map([["t1", 0.8]]));
  });
});

describe("reports in the registry", () => {
  const impatient = { now: () => 0, wait: async () => undefined, random: () => 0 };
  let memory: MemoryRegistry;
  beforeEach(async () => {
    memory = await MemoryRegistry.start();
  });
  afterEach(() => memory.stop());
  const services = () => ({ registry: () => new Registry({ url: memory.url, clock: impatient }) }) as unknown as Services;
  const push = (content: unknown, uid: string) => {
    const layer = {
      mediaType: mediaType.reportFile,
      ...memory.put(content),
      annotations: { "org.opencontainers.image.title": "report.json" },
    };
    const config = { mediaType: mediaType.empty, ...memory.put({}) };
    memory.put({ schemaVersion: 2, artifactType: mediaType.report, config, layers: [layer] }, `evaluation-${uid}`);
  };

  it("are found by the evaluation's UID, though the evaluation is gone", async () => {
    push(report("x", { a1: 5 }), "x");
    expect(await readResults(["x", "nobody"], "team", services())).toEqual(resultsOf([report("x", { a1: 5 })]));
  });

  it("of another evaluation under this one's tag don't count, nor what isn't a report", async () => {
    push(report("y", { a1: 5 }), "x");
    push({ something: "else" }, "z");
    expect(await readResults(["x", "z"], "team", services())).toEqual(new Map());
  });

  it("that can't be read now are said to be so", async () => {
    memory.away = true;
    expect(await readResults(["x"], "team", services())).toMatchObject({ unavailable: expect.stringContaining("503") });
  });

  it("aren't asked for where there are none", async () => {
    memory.away = true;
    expect(await readResults([], "team", services())).toEqual(new Map());
  });
});
