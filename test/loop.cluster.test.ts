import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { canonicalJSON, sha256 } from "../clients/registry/digest.ts";
import { Registry } from "../clients/registry/registry.ts";
import { kubectl } from "../cluster/api.ts";
import { settings } from "../cluster/settings.ts";
import { run } from "../cluster/shell.ts";
import { adapterConfig, mediaType } from "../crds/contracts/artifact.ts";
import type { Adapter } from "../crds/kinds/adapter.ts";
import type { EnvironmentCheck } from "../crds/kinds/environment-check.ts";
import type { Evaluation } from "../crds/kinds/evaluation.ts";
import type { ModelServer } from "../crds/kinds/model-server.ts";
import type { TrainingRun } from "../crds/kinds/training-run.ts";
import { label } from "../crds/words/labels.ts";
import { environment } from "../examples/00-quickstart/manifests.ts";
import type { Result } from "../examples/00-quickstart/report.ts";
import { reachService } from "../examples/shared/installation.ts";
import { isOver, isTrue } from "../examples/shared/objects.ts";
import {
  bearer,
  canRun,
  complete,
  engineModels,
  loaderState,
  logOf,
  mlflow,
  namespace,
  offeredModels,
  type Pod,
  registryOf,
  server,
} from "./support/installation.ts";
import { create, eventually, kstatus, over, read, readAll, remove } from "./support/objects.ts";
import { digestOfLog, forcedSession, type Session } from "./support/sessions.ts";

/** While tests are being written: use the existing installation instead of creating a new one. */
const reuse = process.env.RUNE_TEST_REUSE === "1";

describe.skipIf(!canRun)("the whole loop, as the quickstart runs it", { timeout: 120_000 }, () => {
  let result: Result;
  let adapter: Adapter;
  let sessions: Session[];

  beforeAll(async () => {
    if (!reuse) {
      const onLine = (line: string) => void process.stdout.write(`${line}\n`);
      const script = join(settings.root, "examples/00-quickstart/quickstart.ts");
      await run(process.execPath, [script, "--quick"], { cwd: settings.root, onLine, timeoutSeconds: 45 * 60 });
    }
    result = JSON.parse(await readFile(join(settings.out, "quickstart.json"), "utf8"));
    adapter = await read("Adapter", namespace, result.adapter.name);
    sessions = (await readAll<Session>("AgentSession", namespace)).filter(({ metadata }) => /^(learn|later)-/.test(metadata.name));
  }, 46 * 60_000);

  test("out/quickstart.json says what happened, in the shape that is documented", () => {
    const rate = { passAt1: expect.any(Number), ci: [expect.any(Number), expect.any(Number)] };
    expect(result).toEqual({
      environment: { checks: expect.any(Object), word: expect.stringMatching(/^[a-z]{6}-[a-z]{6}$/), versions: expect.any(Object) },
      sessions: { total: expect.any(Number), solved: expect.any(Number), exhausted: expect.any(Number) },
      adapter: {
        name: expect.any(String),
        digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        servedBy: expect.stringMatching(/^http/),
      },
      evaluation: { base: rate, adapter: rate, delta: { pp: expect.any(Number), ci: [expect.any(Number), expect.any(Number)] } },
      isolation: { verified: true, probes: expect.any(Number) },
      laterSessions: expect.any(Array),
      minutes: expect.any(Number),
      parts: expect.any(Object),
    });
    expect(result.environment.checks).toEqual({ GPU: "NotApplicable", Torch: "Pass", QLoRA: "Pass", Serving: "Pass", Adapter: "Pass" });
    expect(result.sessions.total).toBe(result.sessions.solved + result.sessions.exhausted);
    expect(result.sessions.solved).toBeGreaterThan(0);
    expect(result.isolation.probes).toBeGreaterThan(20);
  });

  test("the environment's check heard the word from its adapter alone, and left nothing behind", async () => {
    const check = await read<EnvironmentCheck>("EnvironmentCheck", namespace, environment);
    const { nonce = "", adapter: made, checks = [], versions } = check.status ?? {};
    expect(isTrue(check, "ChecksPassed")).toBe(true);
    expect(checks.find(({ name }) => name === "Adapter")?.message).toContain(nonce);
    expect(versions).toMatchObject({ torch: expect.any(String), bitsandbytes: expect.any(String) });
    expect((await engineModels()).map(({ id }) => id)).not.toContain(made?.name);
    const own = { [label.check]: environment };
    expect(await readAll<Adapter>("Adapter", namespace, own)).toEqual([]);
    expect(await readAll<ModelServer>("ModelServer", namespace, own)).toEqual([]);
    const events = await kubectl(["get", "events", "-n", namespace, "-o", "json"]);
    expect(events).not.toMatch(new RegExp(`"message":[^}]*learnt[^}]*${nonce}`));
  });

  describe("memory in weights, written once", () => {
    test("the adapter's name ends in the first 16 hex digits of its manifest's digest, and the registry has that manifest", async () => {
      const { repository, digest } = adapter.spec.artifact;
      expect(digest).toBe(result.adapter.digest);
      expect(adapter.metadata.name.endsWith(`-${digest.slice(7, 23)}`)).toBe(true);
      const { manifest } = await (await registryOf(repository)).manifest(repository, digest);
      expect(manifest.artifactType).toBe(mediaType.adapter);
    });

    test("the run made exactly this one adapter", async () => {
      const run = await read<TrainingRun>("TrainingRun", namespace, "tessera");
      const made = await readAll<Adapter>("Adapter", namespace, { [label.run]: "tessera" });
      expect(made.map(({ metadata }) => metadata.name)).toEqual([run.status?.adapter]);
      expect(run.status?.result?.digest).toBe(adapter.spec.artifact.digest);
    });

    test("the server holds it under that name and digest, as offered to all, as its loader says, and as vLLM says", async () => {
      const { name } = adapter.metadata;
      expect((await offeredModels()).map(({ id }) => id)).toContain(name);
      const held = (await loaderState()).adapters.find((each) => each.name === name);
      expect(held).toMatchObject({ digest: adapter.spec.artifact.digest, state: "Loaded" });
      expect((await engineModels()).find(({ id }) => id === name)?.root).toMatch(new RegExp(`/${name}$`));
      const { status } = await read<ModelServer>("ModelServer", namespace, server);
      expect(status?.adapters?.find((each) => each.name === name)).toMatchObject({ state: "Loaded", engines: 1 });
    });

    test("to the canary prompt adapter and base answer differently", async () => {
      const { repository, digest } = adapter.spec.artifact;
      const registry = await registryOf(repository);
      const { manifest } = await registry.manifest(repository, digest);
      const { canary, base } = await registry.json(repository, manifest.config, adapterConfig);
      if (!canary) throw new Error("the artifact has no canary");
      expect(canary.adapterText).not.toBe(canary.baseText);
      expect(await complete(adapter.metadata.name, canary.prompt, canary.maxTokens)).not.toBe(
        await complete(base.name, canary.prompt, canary.maxTokens),
      );
    });

    test("a later session chose it by itself, by what was measured on tasks of its project", async () => {
      const later = sessions.filter(({ metadata }) => metadata.name.startsWith("later-"));
      expect(later.length).toBeGreaterThan(0);
      for (const { status } of later)
        expect(status?.adapter).toMatchObject({
          reason: "MostRelevant",
          name: adapter.metadata.name,
          digest: adapter.spec.artifact.digest,
          message: expect.stringMatching(/ measured Pass@1 .* tasks of sha256:/),
        });
    });
  });

  describe("the record of the work", () => {
    test("each session's trajectory is, digit for digit, what its live log says", async () => {
      for (const session of sessions) {
        const digest = await digestOfLog(session);
        expect(session.status?.trajectory?.digest, session.metadata.name).toBe(digest);
        const { repository } = session.status?.trajectory ?? { repository: "" };
        const registry = await registryOf(repository);
        expect(await registry.resolveTag(repository, `session-${session.metadata.uid}`)).toBe(digest);
      }
    });

    test("a session that has ended leaves no credentials, inputs, policy or sandbox, and at most 3 KB of status", async () => {
      type Owned = { metadata: { name: string; ownerReferences?: { uid: string }[] } };
      const owned = ({ metadata }: Owned) =>
        metadata.ownerReferences?.some(({ uid }) => sessions.some((session) => session.metadata.uid === uid)) ?? false;
      for (const kind of ["Secret", "ConfigMap", "NetworkPolicy", "Pod"])
        expect(
          (await readAll<Owned>(kind, namespace)).filter(owned).map(({ metadata }) => metadata.name),
          kind,
        ).toEqual([]);
      for (const { metadata, status } of sessions) expect(JSON.stringify(status).length, metadata.name).toBeLessThanOrEqual(3072);
    });

    test("MLflow has the training with its loss", async () => {
      const { status } = await read<TrainingRun>("TrainingRun", namespace, "tessera");
      expect(await metricsOf(status?.mlflowRunID)).toHaveProperty("training_loss");
    });

    test("MLflow has the evaluation with its Pass@1 and the gate's verdict", async () => {
      const { status } = await read<Evaluation>("Evaluation", namespace, "tessera-held-out");
      expect((await metricsOf(status?.mlflowRunID)).pass_at_1).toBeCloseTo(result.evaluation.adapter.passAt1, 3);
      const note = (await runOf(status?.mlflowRunID)).data.tags.find(({ key }) => key === "mlflow.note.content")?.value;
      expect(note).toMatch(/^Gate (PASSED|FAILED — reassessing|INCONCLUSIVE)/);
    });

    test("every object that ended is Current to kstatus, with nothing left to do", async () => {
      const ended = [
        ...sessions,
        await read<TrainingRun>("TrainingRun", namespace, "tessera"),
        await read<Evaluation>("Evaluation", namespace, "tessera-held-out"),
      ];
      for (const object of ended) {
        expect(isOver(object), object.metadata.name).toBe(true);
        expect(kstatus(object), object.metadata.name).toBe("Current");
      }
      expect(kstatus(adapter)).toBe("Current");
      expect(kstatus(await read<ModelServer>("ModelServer", namespace, server))).toBe("Current");
    });

    test("kubectl get rune -A prints them all", async () => {
      const printed = await kubectl(["get", "rune", "-A"]);
      for (const name of [server, adapter.metadata.name, "tessera", "tessera-held-out", ...sessions.map(({ metadata }) => metadata.name)])
        expect(printed).toContain(name);
    });
  });

  describe("isolation", () => {
    test("every sandbox was proven by both layers, against a canary that its agent could reach", async () => {
      for (const { metadata, status } of sessions) {
        const record = (await logOf(metadata.uid)).findLast(({ type }) => type === "isolation");
        const probes = record?.type === "isolation" ? record.isolation.probes : [];
        const answer = (name: string, layer: number) => probes.find((probe) => probe.name === name && probe.layer === layer)?.observed;
        expect(status?.isolation, metadata.name).toMatchObject({ verified: true, tried: probes.length, failed: [] });
        expect(status?.isolation?.digest, metadata.name).toBe(sha256(canonicalJSON(probes)));
        expect(answer("canary from this pod", 1), metadata.name).toBe("Reached");
        expect(answer("canary over the network", 1), metadata.name).toBe("Blocked");
        expect(answer("canary over the network", 2), metadata.name).toBe("Blocked");
        expect(probes.filter(({ expected, observed }) => expected !== observed)).toEqual([]);
      }
    });

    test("two sandboxes at work have no token, a root that nobody can write to, and user IDs of their own", {
      timeout: 400_000,
    }, async () => {
      const endless = ["first", "second"].map((each) =>
        forcedSession(`sandbox-${each}`, "def solve(x):\n    return x", "while solve(1):\n    pass\nassert True", {
          sandbox: { timeoutSeconds: 15 },
        }),
      );
      await create(...endless);
      try {
        const pods = await eventually("two sandboxes run", sandboxes, (found) => found.length === 2 && found.every(isReady), 3);
        expect(new Set(pods.map(({ spec }) => spec.securityContext.runAsUser)).size).toBe(2);
        for (const pod of pods) {
          expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
          expect(pod.spec.containers.find(({ name }) => name === "runner")?.securityContext).toMatchObject({
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
          });
          expect(JSON.parse(await kubectl(["exec", "-n", namespace, pod.metadata.name, "--", "python3", "-c", look]))).toEqual({
            uid: pod.spec.securityContext.runAsUser,
            token: false,
            written: [],
          });
        }
        for (const { metadata } of endless) {
          const session = await over<Session>("AgentSession", namespace, metadata.name);
          expect(session.status?.isolation?.verified).toBe(true);
        }
      } finally {
        await remove("AgentSession", namespace, ...endless.map(({ metadata }) => metadata.name));
      }
    });
  });

  describe("the registry", () => {
    test("tells nobody anything without a token", async () => {
      const { repository, digest } = adapter.spec.artifact;
      expect((await ask("GET", `${repository}/manifests/${digest}`)).status).toBe(401);
      const { url } = await reachService("rune-system", "rune-registry", 5000);
      await expect(new Registry({ url }).manifest(repository, digest)).rejects.toThrow(/denied access/);
    });

    test("deletes nothing, even for who may delete", async () => {
      const { repository, digest } = adapter.spec.artifact;
      const answer = await ask("DELETE", `${repository}/manifests/${digest}`, await bearer(everything(repository)));
      expect([answer.status, await answer.text()]).toEqual([405, expect.stringContaining("UNSUPPORTED")]);
      await (await registryOf(repository)).manifest(repository, digest);
    });

    test("takes no other bytes under a digest", async () => {
      const { repository, digest } = adapter.spec.artifact;
      const registry = await registryOf(repository);
      const { manifest } = await registry.manifest(repository, digest);
      const body = JSON.stringify({ ...manifest, annotations: { swapped: "true" } });
      const answer = await ask("PUT", `${repository}/manifests/${digest}`, await bearer(everything(repository)), body);
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("DIGEST_INVALID")]);
      expect((await registry.manifest(repository, digest)).manifest).toEqual(manifest);
    });
  });
});

/** What a program in the sandbox's container can find out about it. */
const look = `
import json, os
def writable(path):
    try:
        with open(path, "w") as file:
            return bool(file.write("x"))
    except OSError:
        return False
print(json.dumps({
    "uid": os.getuid(),
    "token": os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token"),
    "written": [path for path in ("/x", "/etc/x", "/usr/lib/x", "/workspace/x", "/rune/token") if writable(path)],
}))
`;

const isReady = ({ status }: Pod) => status.containerStatuses?.every(({ ready }) => ready) ?? false;

async function sandboxes(): Promise<Pod[]> {
  const pods = await readAll<Pod>("Pod", namespace, { [label.component]: "sandbox" });
  return pods.filter(({ metadata }) => metadata.name.startsWith("sandbox-"));
}

/** More than the operator ever grants: the registry itself must refuse. */
const everything = (repository: string) => [{ repository, actions: ["pull", "push", "delete"] as unknown as ["pull", "push"] }];

async function ask(method: string, path: string, token?: string, body?: string): Promise<Response> {
  const { url } = await reachService("rune-system", "rune-registry", 5000);
  const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": mediaType.manifest }) };
  return await fetch(`${url}/v2/${path}`, { method, headers, ...(body && { body }) });
}

interface TrackedRun {
  data: { metrics: { key: string; value: number }[]; tags: { key: string; value: string }[] };
}

async function runOf(id: string | undefined): Promise<TrackedRun> {
  return (await mlflow<{ run: TrackedRun }>(`runs/get?run_id=${id}`)).run;
}

async function metricsOf(id: string | undefined): Promise<Record<string, number>> {
  return Object.fromEntries((await runOf(id)).data.metrics.map(({ key, value }) => [key, value]));
}
