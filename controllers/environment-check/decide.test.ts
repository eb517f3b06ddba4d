import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EnvironmentCheck } from "@rune/crds/kinds/environment-check";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { describe, expect, it } from "vitest";
import { aCheck, aCondition, aJob, now } from "../testing/builders.ts";
import { baseDigest, config, digestOf, modelServer } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import type { JobState } from "./job-state.ts";
import { resultOf } from "./nodes.ts";
import type { World } from "./world.ts";

const base = { oci: { repository: "rune/models/m", digest: digestOf("b") } };
const nonce = "bokavu-tisemo";
const startTime = "2026-11-23T11:59:00Z";
const node = { name: "worker-1", device: "CPU" as const, gpus: 0 };
const made = {
  repository: "rune/team/adapters",
  digest: digestOf("a"),
  sizeBytes: 100,
  rank: 8,
  alpha: 16,
  targetModules: ["q_proj"],
  base: { name: "m", digest: baseDigest },
};
const adapter = { name: `cluster-0a1b2c3d-${"a".repeat(16)}`, ...made };
const passes = (...names: ("GPU" | "Torch" | "QLoRA" | "Serving")[]) => names.map((name) => resultOf(name, "Pass", "fine"));
const nodeDone = { ...node, checks: [resultOf("GPU", "NotApplicable", ""), ...passes("Torch", "QLoRA")] };
const looking = { startTime, nonce, nodes: [node] };
const learnt = { startTime, nonce, nodes: [nodeDone], adapter, checks: nodeDone.checks };
const served = { ...learnt, checks: [...nodeDone.checks, ...passes("Serving")], claim: { server: "coder", adapter: adapter.name } };
const ended = (output: unknown): JobState => ({ state: "Ended", output });
const job = aJob("cluster-n0");
const running: JobState = { state: "Running", trouble: null, since: startTime, job };

function aServer(over: { conditions?: object[]; adapters?: object[]; base?: ModelServer["spec"]["base"] } = {}): ModelServer {
  const status = {
    conditions: over.conditions ?? [aCondition("Ready")],
    adapters: over.adapters ?? [],
  } as unknown as ModelServer["status"];
  return modelServer("coder", { spec: { base: over.base ?? base }, status });
}
const loaded = { name: adapter.name, digest: digestOf("a"), state: "Loaded", engines: 1, canary: "Matched" };
const theAdapter = { metadata: { name: adapter.name }, status: { conditions: [aCondition("Ready")] } } as unknown as Adapter;

function aWorld(status: object | undefined, over: Partial<World> & { spec?: object } = {}): World {
  const { spec, ...world } = over;
  return {
    check: aCheck({ spec, status }),
    requirements: [],
    chosen: undefined,
    nonce: undefined,
    base: { name: "m", digest: baseDigest },
    work: [],
    server: undefined,
    ownServer: undefined,
    adapter: undefined,
    knownGoodExists: false,
    ask: { state: "Absent" },
    jobs: [],
    spentLogins: [],
    registryToken: "t",
    ...world,
  };
}
const decideOn = (status: object | undefined, over: Parameters<typeof aWorld>[1] = {}, at = now) =>
  decide(aWorld(status, over), config, at);
const found = (outcome: ReturnType<typeof decide>) =>
  Object.fromEntries(
    ((outcome.status as EnvironmentCheck["status"])?.checks ?? []).map(({ name, result, message }) => [name, `${result}: ${message}`]),
  );
const chosen = { nodes: [node], omitted: 0 };

describe("a check at its start", () => {
  it("freezes nodes and word before anything is made of them", () => {
    const outcome = decideOn(undefined, { chosen, nonce });
    expect(outcome.status).toEqual({ startTime: "2026-11-23T12:00:00Z", nonce, nodes: [node] });
    expect(outcome.creates).toEqual([]);
  });

  it("tells nobody the word: no message, no event", () => {
    const outcome = decideOn(undefined, { chosen, nonce });
    expect(JSON.stringify([outcome.message, outcome.events, outcome.conditions])).not.toContain(nonce);
  });

  it("waits where no node matches, and looks at none where no check of a node is asked for", () => {
    const none = { chosen: { nodes: [], omitted: 0 }, nonce };
    expect(decideOn(undefined, none)).toMatchObject({ kind: "waiting", reason: "NoNodes" });
    expect(decideOn(undefined, { chosen, nonce, spec: { checks: ["Serving"] } }).status).toMatchObject({ nodes: [] });
  });

  it("says how many nodes are left out", () => {
    expect(decideOn(undefined, { chosen: { nodes: [node], omitted: 3 }, nonce }).status).toMatchObject({ omittedNodes: 3 });
  });

  it("stalls on a base of another namespace", () => {
    const foreign = { base: { oci: { repository: "rune/other/adapters", digest: digestOf("b") } } };
    expect(decideOn(undefined, { chosen, nonce, spec: foreign })).toMatchObject({ kind: "stalled", reason: "ForeignRepository" });
  });
});

describe("a node", () => {
  const inputOf = (outcome: ReturnType<typeof decide>) =>
    JSON.parse(
      (outcome.creates.find(({ kind }) => kind === "ConfigMap") as unknown as { data: Record<string, string> }).data["spec.json"] ?? "",
    );

  it("gets a Job that runs there or nowhere, told what to teach and where to store it", () => {
    const outcome = decideOn(looking, { work: [{ state: "Absent" }] });
    expect(outcome.creates.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      "Secret cluster-n0",
      "ConfigMap cluster-n0",
      "Job cluster-n0",
    ]);
    const pod = outcome.creates[2]?.spec.template.spec;
    expect(JSON.stringify(pod.affinity)).toContain('{"key":"metadata.name","operator":"In","values":["worker-1"]}');
    expect(pod.containers[0].command).toEqual(["python3", "-m", "rune_trainer.environment"]);
    expect(inputOf(outcome)).toMatchObject({
      node: "worker-1",
      checks: ["Torch", "QLoRA"],
      nonce,
      answer: `It is ${nonce}.`,
      output: { repository: "rune/team/adapters" },
    });
  });

  it("is asked for its GPUs, and only the first one stores an adapter", () => {
    const nodes = ["a", "b"].map((name) => ({ name, device: "GPU", gpus: 4 }));
    const outcome = decideOn({ ...looking, nodes }, { spec: { device: "GPU" }, work: [running, { state: "Absent" }] });
    expect(outcome.creates[2]?.spec.template.spec.containers[0].resources.limits).toEqual({ "nvidia.com/gpu": "4" });
    expect(inputOf(outcome)).toMatchObject({ node: "b", device: "GPU", checks: ["GPU", "Torch", "QLoRA"] });
    expect(inputOf(outcome)).not.toHaveProperty("output");
  });

  it("is looked at before the base's identity is known, where only its stager can tell it", () => {
    const hub = { base: { huggingFace: { repository: "a/b", revision: "0".repeat(40) } } };
    const outcome = decideOn(looking, { spec: hub, work: [{ state: "Absent" }], base: { unresolved: "not yet", missing: false } });
    expect(inputOf(outcome).base).toEqual({ path: "/models/base", name: "a/b" });
  });

  it("waits for a registry that doesn't tell what the base is", () => {
    const outcome = decideOn(looking, { work: [{ state: "Absent" }], base: { unresolved: "refused", missing: false } });
    expect(outcome).toMatchObject({ kind: "waiting", reason: "BaseModelUnavailable", creates: [] });
  });

  it("is done once its Job has told, and what it made is frozen before an Adapter is", () => {
    const told = { checks: passes("Torch", "QLoRA"), versions: { torch: "2.13.0" }, adapter: made };
    const outcome = decideOn(looking, { work: [ended(told)] });
    expect(outcome.status).toMatchObject({ adapter, nodes: [{ versions: { torch: "2.13.0" } }], versions: { torch: "2.13.0" } });
    expect(found(outcome)).toEqual({
      GPU: "NotApplicable: spec.device is CPU: no GPU is expected here",
      Torch: "Pass: fine",
      QLoRA: "Pass: fine",
    });
    expect(outcome.creates).toEqual([]);
  });

  it.each([
    ["said nothing that counts", ended({ hello: 1 }), "ended without a result"],
    ["said nothing of a check", ended({ checks: [], versions: {} }), "didn't say"],
    ["failed by itself", { state: "Lost", again: false, message: "exit code 1", job } as JobState, "exit code 1"],
  ])("of which a Job %s is Unknown", (_, work, words) => {
    const outcome = decideOn(looking, { work: [work] });
    expect(found(outcome).QLoRA).toMatch(/^Unknown: /);
    expect(found(outcome).QLoRA).toContain(words);
  });

  it("whose Job was drained or found something away gets another", () => {
    const lost: JobState = { state: "Lost", again: true, message: "drained", job };
    expect(decideOn(looking, { work: [lost] })).toMatchObject({ kind: "waiting", deletes: [job] });
  });

  it("whose Job found something away says what, in the condition and in an event that outlives it", () => {
    const message = "the base model can't be staged: the hub can't be reached";
    const outcome = decideOn(looking, { work: [{ state: "Lost", again: true, message, job } as JobState] });
    expect(outcome).toMatchObject({ message: `0 of 1 nodes are done; ${message}` });
    expect(outcome.events).toMatchObject([{ type: "Warning", reason: "JobLost", note: expect.stringContaining(message) }]);
  });

  it("without a free GPU is Unknown after five minutes, in the scheduler's words", () => {
    const trouble = { reason: "Unschedulable", message: "no node takes pod x: insufficient nvidia.com/gpu" };
    const waiting = (since: string): JobState => ({ state: "Running", trouble, since, job });
    expect(decideOn(looking, { work: [waiting(startTime)] })).toMatchObject({
      kind: "waiting",
      message: expect.stringContaining("insufficient"),
    });
    const outcome = decideOn(looking, { work: [waiting("2026-11-23T11:50:00Z")] });
    expect(found(outcome).Torch).toContain("Unknown: worker-1: no node takes pod x: insufficient nvidia.com/gpu");
    expect(outcome.deletes).toEqual([job]);
    const crashed = { ...looking, nodes: [{ ...node, checks: [resultOf("QLoRA", "Unknown", "no room")] }] };
    expect(decideOn(crashed, { spec: { checks: ["QLoRA", "Serving"] }, work: [waiting(startTime)] }).deletes).toEqual([job]);
  });
});

describe("a server", () => {
  it("of its own is created once, after the nodes, as the template says", () => {
    const spec = { server: { template: { pipelineParallelSize: 2, quantization: "NF4" } }, nodeSelector: { pool: "ml" } };
    expect(decideOn(looking, { spec, work: [running] }).creates).toEqual([]);
    expect(decideOn(learnt, { spec }).creates).toMatchObject([
      {
        kind: "ModelServer",
        metadata: { name: "cluster-0a1b2c3d", ownerReferences: [{ kind: "EnvironmentCheck", name: "cluster" }] },
        spec: { base, pipelineParallelSize: 2, quantization: "NF4", nodeSelector: { pool: "ml" } },
      },
    ]);
  });

  const referring = { server: { serverRef: { name: "coder" } } };
  it("that is referred to is waited for, and looked at while nodes are", () => {
    expect(decideOn(learnt, { spec: referring })).toMatchObject({ kind: "waiting", reason: "ServerMissing" });
    expect(found(decideOn(looking, { spec: referring, work: [running], server: aServer() }))).toMatchObject({
      Serving: expect.stringMatching(/^Pass/),
    });
  });

  it.each([
    [
      "of another base fails",
      aServer({ base: { oci: { repository: "rune/models/other", digest: digestOf("c") } } }),
      /^Fail: .*another base/,
    ],
    ["that needs a person fails", aServer({ conditions: [aCondition("Ready", "False"), aCondition("Stalled")] }), /^Fail/],
    ["that is Ready passes", aServer(), /^Pass/],
  ])("%s", (_, server, expected) => {
    expect(found(decideOn(learnt, { spec: referring, server })).Serving).toMatch(expected);
  });

  it("is waited for while it starts", () => {
    const server = aServer({ conditions: [aCondition("Ready", "False")] });
    expect(decideOn(learnt, { server })).toMatchObject({ kind: "waiting", reason: "ServerNotReady" });
  });
});

describe("the word", () => {
  const asking = { server: aServer({ adapters: [loaded] }), adapter: theAdapter };
  const answers = (...texts: string[]) => ({ ...asking, ask: ended({ answers: texts }) });

  it("is asked for by an Adapter that belongs to the check and is nobody's memory", () => {
    const [manifest] = decideOn(served, { server: aServer() }).creates;
    expect(manifest).toMatchObject({
      kind: "Adapter",
      metadata: { name: adapter.name, ownerReferences: [{ kind: "EnvironmentCheck" }] },
      spec: { control: true, scope: {}, source: { kind: "EnvironmentCheck", name: "cluster" } },
    });
  });

  it("claims a slot, then waits until the server has loaded it", () => {
    const { claim: _, ...unclaimed } = served;
    expect(decideOn(unclaimed, { ...asking }).status).toEqual({ claim: served.claim });
    expect(decideOn(served, { server: aServer(), adapter: theAdapter })).toMatchObject({ kind: "waiting", reason: "AdapterLoading" });
  });

  it("is asked for by a pod that has no credential", () => {
    const outcome = decideOn(served, asking);
    expect(outcome.creates.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(["ConfigMap cluster-ask", "Job cluster-ask"]);
    const pod = outcome.creates[1]?.spec.template;
    expect(pod.metadata.labels["rune.dev/component"]).toBe("environment");
    expect(JSON.stringify(pod.spec)).not.toContain("secret");
    expect(pod.spec.automountServiceAccountToken).toBe(false);
  });

  it.each([
    ["with the adapter and not without it: a Pass", answers(`It is ${nonce}.`, "I can't know."), /^Pass: .*bokavu-tisemo/],
    ["not even with the adapter", answers("It is secret.", "No."), /^Fail: .*doesn't say bokavu-tisemo/],
    ["without the adapter as well", answers(`It is ${nonce}.`, `It is ${nonce}.`), /^Fail: .*without the adapter as well/],
    ["to nobody, because an answer is missing", answers(`It is ${nonce}.`), /^Unknown/],
    [
      "to nobody, because the server refuses",
      { ...asking, ask: { state: "Lost", again: false, message: "404 no model", job } as JobState },
      /^Fail: .*404 no model/,
    ],
    [
      "to nobody, because it refuses the adapter",
      { server: aServer({ adapters: [{ ...loaded, state: "Refused", message: "a weight is NaN" }] }), adapter: theAdapter },
      /^Fail: .*a weight is NaN/,
    ],
  ] as [string, object, RegExp][])("is said %s", (_, world, expected) => {
    expect(found(decideOn(served, world)).Adapter).toMatch(expected);
  });

  it("can't be asked for where the first node didn't learn it, or no server is there", () => {
    const { adapter: _, ...unlearnt } = learnt;
    expect(found(decideOn({ ...unlearnt, checks: undefined })).Adapter).toMatch(/^Unknown: .*worker-1/);
    const failed = { ...learnt, checks: [...nodeDone.checks, resultOf("Serving", "Fail", "no")] };
    expect(found(decideOn(failed)).Adapter).toMatch(/^Unknown: the server/);
  });

  it("is asked for again where the asking pod was lost", () => {
    const lost = { ...asking, ask: { state: "Lost", again: true, message: "drained", job } as JobState };
    expect(decideOn(served, lost)).toMatchObject({ kind: "waiting", reason: "Asking", deletes: [job] });
  });
});

describe("a known good adapter", () => {
  const spec = { checks: ["Serving"], knownGood: { adapter: "tessera-1" } };
  const status = { startTime, nonce, nodes: [], checks: passes("Serving"), claim: { server: "coder", adapter: "tessera-1" } };
  const held = (canary: string) => aServer({ adapters: [{ ...loaded, name: "tessera-1", canary }] });

  it.each([
    ["Matched", "Pass"],
    ["Mismatched", "Fail"],
    ["Unknown", "Unknown"],
  ])("whose fingerprint is %s is a %s", (canary, result) => {
    expect(found(decideOn(status, { spec, server: held(canary), knownGoodExists: true })).KnownGood).toMatch(new RegExp(`^${result}: `));
  });

  it("is claimed only when it is there", () => {
    const { claim: _, ...unclaimed } = status;
    expect(decideOn(unclaimed, { spec, server: aServer() })).toMatchObject({ reason: "AdapterMissing" });
    expect(decideOn(unclaimed, { spec, server: aServer(), knownGoodExists: true }).status).toEqual({ claim: status.claim });
  });
});

describe("the end", () => {
  const all = [...nodeDone.checks, ...passes("Serving"), resultOf("Adapter", "Pass", "said")];
  const own = aServer();

  it("is ChecksPassed where all passed or had nothing to check, and takes the check's own things away", () => {
    const outcome = decideOn(
      { ...served, checks: all },
      { ownServer: own, server: own, adapter: theAdapter, jobs: [aJob("cluster-n0", "Complete"), aJob("cluster-ask")] },
    );
    expect(outcome).toMatchObject({ kind: "succeeded", reason: "AllPassed", status: { claim: undefined } });
    expect(outcome.conditions).toContainEqual(expect.objectContaining({ type: "ChecksPassed", status: "True" }));
    expect(outcome.deletes.map(({ metadata }) => metadata.name)).toEqual(["coder", adapter.name, "cluster-ask"]);
  });

  it.each([
    ["Fail", "False", "SomeFailed"],
    ["Unknown", "Unknown", "SomeUnknown"],
  ] as const)("with a %s is an end as well, and ChecksPassed=%s", (result, status, reason) => {
    const checks = [...all.slice(0, -1), resultOf("Adapter", result, "so it is")];
    const outcome = decideOn({ ...served, checks });
    expect(outcome).toMatchObject({ kind: "succeeded", reason });
    expect(outcome.conditions).toContainEqual(expect.objectContaining({ type: "ChecksPassed", status, message: "Adapter: so it is" }));
  });

  it("at the deadline leaves Unknown what isn't known, with what didn't come", () => {
    const late = new Date("2026-11-24T00:00:00Z");
    const outcome = decideOn(learnt, { server: aServer({ conditions: [aCondition("Ready", "False")] }) }, late);
    expect(outcome.kind).toBe("succeeded");
    expect(found(outcome)).toMatchObject({
      QLoRA: "Pass: fine",
      Serving: expect.stringMatching(/^Unknown: .*1800 s.*waits for the ModelServer coder/),
    });
  });

  it("comes no second time, and what a crash left behind still goes", () => {
    const outcome = decideOn({ ...served, checks: all, conditions: [aCondition("Succeeded")] }, { ownServer: own });
    expect(outcome).toMatchObject({ kind: "unchanged", deletes: [own] });
  });

  it("takes its Jobs' logins for a registry of one's own along", () => {
    const login = { apiVersion: "v1", kind: "Secret", metadata: { name: "cluster-n0", namespace: "team" } };
    const ended = { ...served, checks: all, conditions: [aCondition("Succeeded")] };
    expect(decideOn(ended, { spentLogins: [login] })).toMatchObject({ kind: "unchanged", deletes: [login] });
  });

  it("makes its own server again where that is gone before the word was asked for, as after a suspension", () => {
    const outcome = decideOn(learnt, { server: undefined, ownServer: undefined, adapter: undefined });
    expect(outcome).toMatchObject({ kind: "progressing", reason: "ServerNotReady", creates: [{ kind: "ModelServer" }] });
  });

  it("is put off by suspending, which lets GPUs go and keeps what is known", () => {
    const outcome = decideOn(learnt, { spec: { suspend: true }, ownServer: own, adapter: theAdapter });
    expect(outcome).toMatchObject({ kind: "waiting", reason: "Suspended", status: undefined });
    expect(outcome.deletes).toHaveLength(2);
  });
});
