import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { InferenceRefused } from "../inference/inference.ts";
import { Fenced, LogCorrupt } from "../nats/log.ts";
import { ArtifactMissing, RegistryUnavailable } from "../registry/registry.ts";
import { RunnerGone, RunnerRefused } from "../runner/runner.ts";
import { failureOf, PodFailure, type PodPaths, runPod } from "./pod.ts";

const schema = z.object({ epoch: z.number() });
const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
afterEach(() => quiet.mockClear());

async function pod(spec: string): Promise<PodPaths> {
  const directory = await mkdtemp(join(tmpdir(), "pod-"));
  await writeFile(join(directory, "spec.json"), spec);
  return { spec: join(directory, "spec.json"), terminationLog: join(directory, "termination") };
}
const said = async (where: PodPaths) => JSON.parse(await readFile(where.terminationLog, "utf8"));

test("a result becomes the termination message, and the program ends with 0", async () => {
  const where = await pod('{"epoch": 3}');
  expect(await runPod(schema, async (job) => ({ saw: job.epoch }), where)).toBe(0);
  expect(await said(where)).toEqual({ saw: 3 });
});

test("a spec of another version ends with 78 and says what doesn't fit", async () => {
  const where = await pod('{"epoch": "three"}');
  expect(await runPod(schema, async () => ({}), where)).toBe(78);
  expect((await said(where)).failure).toMatchObject({ reason: "BadSpec", message: expect.stringContaining("epoch") });
});

test("a missing spec ends with 78", async () => {
  const where = await pod("{}");
  expect(await runPod(schema, async () => ({}), { ...where, spec: "/nowhere" })).toBe(78);
});

test("however long the reason, the termination message fits", async () => {
  const where = await pod('{"epoch": 3}');
  const message = "\u0001".repeat(5000);
  expect(await runPod(schema, () => Promise.reject(new PodFailure(65, "Long", message)), where)).toBe(65);
  expect((await readFile(where.terminationLog)).length).toBeLessThanOrEqual(4096);
});

test("SIGTERM ends with 143 and no message", async () => {
  const where = await pod('{"epoch": 3}');
  const work = (_: unknown, signal: AbortSignal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      process.emit("SIGTERM");
    });
  expect(await runPod(schema, work, where)).toBe(143);
  await expect(readFile(where.terminationLog)).rejects.toThrow("ENOENT");
});

test.each<[Error, number, string]>([
  [new PodFailure(65, "IsolationUnproven", ""), 65, "IsolationUnproven"],
  [new Fenced("newer"), 75, "Fenced"],
  [new RunnerGone("gone"), 75, "SandboxGone"],
  [new RunnerRefused("StaleEpoch", ""), 75, "Fenced"],
  [new RunnerRefused("IsolationNotVerified", ""), 75, "SandboxGone"],
  [new RunnerRefused("BadRequest", ""), 65, "RunnerRefused"],
  [new InferenceRefused("unknown model", 404), 75, "ModelMissing"],
  [new InferenceRefused("prompt too long", 400), 65, "InferenceRefused"],
  [new RegistryUnavailable("away"), 75, "RegistryUnavailable"],
  [new ArtifactMissing("none"), 65, "ArtifactMissing"],
  [new LogCorrupt("odd"), 64, "LogCorrupt"],
  [new TypeError("a bug"), 1, "InternalError"],
])("%s ends with %d", (error, code, reason) => {
  expect(failureOf(error)).toMatchObject({ code, reason });
});
