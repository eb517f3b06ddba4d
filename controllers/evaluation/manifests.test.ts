import { evaluatorJob } from "@rune/crds/contracts/evaluator";
import { expect, it } from "vitest";
import { anEvaluation } from "../testing/builders.ts";
import { aPlan, aWorld, server } from "../testing/evaluation-world.ts";
import { config, digestOf } from "../testing/objects.ts";
import { evaluatorDocument } from "./manifests.ts";

const target = "10.0.0.1:80";
const targets = { canary: target, dns: target, modelServer: target, apiServer: target, node: target };

const documentOf = (
  evaluation: ReturnType<typeof anEvaluation>,
  plan = aPlan(),
  unit = { look: 1, arms: ["base"], adapters: [] as string[] },
  sandboxIP = "10.0.0.2",
) =>
  evaluatorJob.parse(
    evaluatorDocument({
      world: aWorld({ evaluation }),
      plan,
      epoch: 1,
      unit,
      sandboxIP,
      targets,
      deadline: new Date("2026-11-24T00:00:00Z"),
      credentials: { nats: "", registry: "" },
      config,
      now: new Date("2026-11-23T00:00:00Z"),
    }),
  );

it("an evaluator is told of what was frozen, whatever the spec names it by", () => {
  const taskSet = { configMap: { name: "held-out" }, part: "Test", maxTasks: 3 };
  const told = documentOf(anEvaluation({ spec: { taskSet } }));
  const { repository, digest } = aPlan().taskSet;
  expect(told.taskSet).toEqual({ repository, digest, part: "Test", maxTasks: 3 });
  expect(told).toMatchObject({ active: ["base"], claimed: [], look: { number: 1, of: 1 }, seenTasks: "Refuse" });
  expect(told.arms[0]).toMatchObject({ name: "base", model: { name: "m", base: "m" }, adapters: [] });
  expect(told.arms[1]).toMatchObject({ adapterDigest: digestOf("a"), model: { name: "tessera-1" }, adapters: [{ name: "tessera-1" }] });
});

it("an evaluator is told of a sandbox with an IPv6 address by a URL", () => {
  expect(documentOf(anEvaluation(), aPlan(), undefined, "fd00:10:244::2").sandbox.url).toBe("http://[fd00:10:244::2]:8090");
});

it("an evaluator of an arm with an adapter for each task is told which may be asked now, and what its context is", () => {
  const artifact = { repository: "rune/team/trajectories", digest: digestOf("7") };
  const arm = { name: "base", serverRef: { name: "coder" }, adapters: { matchLabels: {} }, context: { artifact, maxTokens: 256 } };
  const evaluation = anEvaluation({ spec: { arms: [arm], looks: 2 } });
  const planned = { assigned: { t0: "a" }, control: "WrongTrajectory" as const, generated: true, context: { artifacts: [artifact] } };
  const plan = aPlan({ arms: [{ name: "base", server, adapters: [], batches: [{ adapters: ["a", "b"], looks: [1] }], ...planned }] });
  const told = documentOf(evaluation, plan, { look: 2, arms: ["base"], adapters: ["a", "b"] });
  expect(told).toMatchObject({ claimed: ["a", "b"], look: { number: 2, of: 2 } });
  expect(told.arms[0]).toMatchObject({
    ...planned,
    model: { name: "m" },
    context: { artifacts: [artifact], pick: "Nearest", as: "Notes", maxTokens: 256 },
  });
});
