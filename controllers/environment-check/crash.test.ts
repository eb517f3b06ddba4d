import { type EnvironmentCheck, environmentCheck } from "@rune/crds/kinds/environment-check";
import { apiVersion } from "@rune/crds/words/group";
import { type DynamicObject, isTrue, jobs, type KubeObject, nodes } from "kopf-ts";
import type { FakeApiServer } from "kopf-ts/testing";
import { afterEach, expect, it } from "vitest";
import { generatedName } from "../shared/names.ts";
import { adapters, environmentChecks, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { Interrupted, type Story, strikes } from "../testing/interrupted.ts";
import { baseDigest, condition, config, digestOf, modelServer } from "../testing/objects.ts";
import { register } from "./controller.ts";

/** A whole check against an API server, interrupted after each write, before or after it is applied. */
const key = (name: string) => ({ namespace: "default", name });
const check: DynamicObject = {
  apiVersion,
  kind: "EnvironmentCheck",
  metadata: { name: "cluster", namespace: "default" },
  spec: environmentCheck.spec.parse({ base: { huggingFace: { repository: "a/b", revision: "0".repeat(40) } }, device: "CPU" }),
};
const made = {
  repository: "rune/default/adapters",
  digest: digestOf("a"),
  sizeBytes: 100,
  rank: 8,
  alpha: 16,
  targetModules: ["q_proj"],
  base: { name: "a/b", digest: baseDigest },
};

let nonces = 0;
/** A different word at each call: if status didn't keep it, the server would be tested for the wrong one. */
const services = { config, registryToken: async () => "t", nonce: () => `word-${++nonces}` } as unknown as Services;

const find = (api: FakeApiServer) => api.find(environmentChecks, key("cluster")) as EnvironmentCheck;

/** Plays the kubelets, the trainer's image and the ModelServer's controller. */
const story: Story = {
  register: (manager) => register(manager, services),
  begin(api) {
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    api.put(environmentChecks, check);
    api.put(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "worker-1" }, status });
  },
  proceed(run) {
    for (const job of run.api.all(jobs)) if (!job.status) run.complete(job, wordsOf(job, find(run.api)));
    for (const server of run.api.all(modelServers)) serve(server, run.api);
  },
  subject: find,
  isTidy: (api) => api.all(modelServers).length + api.all(adapters).length === 0,
  made: [jobs, modelServers, adapters],
};

function wordsOf(job: DynamicObject, { status }: EnvironmentCheck): object {
  if (job.metadata.name.endsWith("-ask")) return { answers: [`It is ${status?.nonce}.`, "No."] };
  return { checks: ["Torch", "QLoRA"].map((name) => ({ name, result: "Pass", message: "fine" })), versions: {}, adapter: made };
}

function serve(server: KubeObject, api: FakeApiServer): void {
  const name = find(api).status?.claim?.adapter;
  const held = name ? [{ name, digest: made.digest, state: "Loaded", engines: 1 }] : [];
  const status = { conditions: [condition("Ready")], adapters: held };
  const before = (server as DynamicObject).status;
  if (JSON.stringify(before) !== JSON.stringify(status)) api.put(modelServers, { ...server, status } as DynamicObject);
}

let run: Interrupted;
afterEach(() => run.stop());

const told = () => find(run.api).status?.checks?.map(({ name, result }) => `${name} ${result}`);
const expected = ["GPU NotApplicable", "Torch Pass", "QLoRA Pass", "Serving Pass", "Adapter Pass"];

it("a whole check makes one server, one Adapter and two Jobs, and takes server and Adapter away", async () => {
  run = await Interrupted.run(story);
  expect(told()).toEqual(expected);
  expect(isTrue(find(run.api), "ChecksPassed")).toBe(true);
  expect(run.made).toEqual({ Job: 2, ModelServer: 1, Adapter: 1 });
});

it.each(strikes(16))("an operator that is killed %s write %i makes nothing twice and loses no result", async (_, __, strike) => {
  run = await Interrupted.run(story, strike);
  expect(told()).toEqual(expected);
  expect(run.made).toEqual({ Job: 2, ModelServer: 1, Adapter: 1 });
  expect(run.api.faultsLeft).toBe(0);
});

it("a server that has the check's name and isn't the check's stays, whatever becomes of the check", { timeout: 60_000 }, async () => {
  const brief = { ...check, spec: { ...check.spec, deadlineSeconds: 60 } };
  const begin = (api: FakeApiServer) => {
    story.begin(api);
    api.put(environmentChecks, brief);
    api.put(modelServers, modelServer(generatedName(find(api).metadata)));
  };
  run = await Interrupted.run({ ...story, begin, isTidy: (api) => api.all(adapters).length === 0 });
  expect(told()).toEqual(["GPU NotApplicable", "Torch Pass", "QLoRA Pass", "Serving Unknown", "Adapter Unknown"]);
  expect(run.api.all(modelServers)).toHaveLength(1);
});
