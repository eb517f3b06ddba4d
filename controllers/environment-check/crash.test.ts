import { apiVersion } from "@rune/crds/common";
import { type EnvironmentCheck, environmentCheck } from "@rune/crds/environment-check";
import { resourceOf } from "@rune/crds/kind";
import { kinds } from "@rune/crds/kinds";
import { conditionsOf, type DynamicObject, isTerminal, isTrue, jobs, type KubeObject, Manager, nodes, pods, silentLogger } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { afterEach, expect, it } from "vitest";
import type { Services } from "../context.ts";
import { adapters, environmentChecks, modelServers } from "../resources.ts";
import { baseDigest, condition, config, digestOf } from "../testing/objects.ts";
import { register } from "./reconcile.ts";

/** A whole check against an API server, interrupted after each of its writes, before it or after it was carried out. */
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
/** Another word at every call: one that isn't kept would be asked for in vain. */
const services = { config, registryToken: async () => "t", nonce: () => `word-${++nonces}` } as unknown as Services;

class Run {
  readonly clock = new VirtualClock("2026-11-23T12:00:00Z");
  /** UIDs of everything that ever was, by kind. */
  readonly seen = new Map<string, Set<string>>();
  manager: Manager | undefined;

  readonly api: FakeApiServer;
  #restartsAfterFault: boolean;

  constructor(api: FakeApiServer, interrupted: boolean) {
    this.api = api;
    this.#restartsAfterFault = interrupted;
  }

  async start(): Promise<void> {
    this.api.put(environmentChecks, check);
    this.api.put(nodes, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "worker-1" },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    });
    await this.restart();
  }

  async restart(): Promise<void> {
    await this.manager?.stop();
    this.manager = new Manager({ client: this.api.client(), clock: this.clock, logger: silentLogger, freeze: "deep" });
    register(this.manager, services);
    await this.manager.start();
  }

  get check(): EnvironmentCheck {
    return this.api.find(environmentChecks, key("cluster")) as EnvironmentCheck;
  }

  /** What kubelets, the trainer's image and the ModelServer's controller would do. */
  proceed(): void {
    for (const resource of [jobs, modelServers, adapters]) {
      for (const object of this.api.all(resource as typeof jobs)) {
        const uids = this.seen.get(object.kind) ?? new Set();
        this.seen.set(object.kind, uids.add(object.metadata.uid ?? ""));
      }
    }
    for (const job of this.api.all(jobs)) if (!job.status) this.complete(job);
    for (const server of this.api.all(modelServers)) this.serve(server);
  }

  complete(job: DynamicObject): void {
    const nonce = this.check.status?.nonce;
    const result = job.metadata.name.endsWith("-ask")
      ? { answers: [`It is ${nonce}.`, "No."] }
      : { checks: ["Torch", "QLoRA"].map((name) => ({ name, result: "Pass", message: "fine" })), versions: {}, adapter: made };
    const { metadata, spec } = job.spec.template;
    this.api.put(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...metadata,
        name: `${job.metadata.name}-0`,
        namespace: "default",
        ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: job.metadata.name, uid: job.metadata.uid ?? "" }],
      },
      status: {
        phase: "Succeeded",
        containerStatuses: [{ name: spec.containers[0].name, state: { terminated: { exitCode: 0, message: JSON.stringify(result) } } }],
      },
    });
    this.api.put(jobs, {
      ...job,
      status: { conditions: [{ type: "Complete", status: "True", lastTransitionTime: this.clock.now().toISOString() }] },
    });
  }

  serve(server: KubeObject): void {
    const name = this.check.status?.claim?.adapter;
    const held = name ? [{ name, digest: made.digest, state: "Loaded", engines: 1 }] : [];
    const status = { conditions: [condition("Ready")], adapters: held };
    const before = (server as DynamicObject).status;
    if (JSON.stringify(before) !== JSON.stringify(status)) this.api.put(modelServers, { ...server, status } as DynamicObject);
  }

  async untilOver(): Promise<void> {
    for (let seconds = 0; seconds < 400; seconds++) {
      this.proceed();
      if (isTerminal(this.check) && this.api.all(modelServers).length + this.api.all(adapters).length === 0) return;
      await this.clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 3));
      if (!this.#restartsAfterFault || this.api.faultsLeft > 0) continue;
      this.#restartsAfterFault = false;
      await this.restart();
    }
    throw new Error(`the check didn't end: ${JSON.stringify(conditionsOf(this.check))}`);
  }
}

const isOurWrite = (method: string, path: string) => method !== "GET" && !path.includes("/events");
let run: Run;
afterEach(async () => {
  await run.manager?.stop();
  await run.api.stop();
});

async function whole(strike?: { write: number; before: boolean }): Promise<Run> {
  run = new Run(await FakeApiServer.start({ resources: kinds.map(resourceOf) }), strike !== undefined);
  let writes = 0;
  if (strike)
    run.api.inject({
      match: ({ method, path }) => isOurWrite(method, path) && ++writes === strike.write,
      action: { do: strike.before ? "reset" : "reset after" },
    });
  await run.start();
  await run.untilOver();
  return run;
}

const told = ({ check: { status } }: Run) => status?.checks?.map(({ name, result }) => `${name} ${result}`);
const expected = ["GPU NotApplicable", "Torch Pass", "QLoRA Pass", "Serving Pass", "Adapter Pass"];

it("a whole check makes one server, one Adapter and two Jobs, and takes server and Adapter away", async () => {
  await whole();
  expect(told(run)).toEqual(expected);
  expect(isTrue(run.check, "ChecksPassed")).toBe(true);
  expect(Object.fromEntries([...run.seen].map(([kind, uids]) => [kind, uids.size]))).toEqual({ Job: 2, ModelServer: 1, Adapter: 1 });
});

const writes = Array.from({ length: 16 }, (_, index) => index + 1);
it.each(writes.flatMap((write) => [true, false].map((before) => [before ? "before" : "after", write, before] as const)))(
  "an operator that is killed %s write %i makes nothing twice and loses no result",
  async (_, write, before) => {
    await whole({ write, before });
    expect(told(run)).toEqual(expected);
    expect(Object.fromEntries([...run.seen].map(([kind, uids]) => [kind, uids.size]))).toEqual({ Job: 2, ModelServer: 1, Adapter: 1 });
    expect(run.api.faultsLeft).toBe(0);
  },
);
