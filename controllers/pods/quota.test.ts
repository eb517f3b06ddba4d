import { expect, it } from "vitest";
import { askObjects, nodeObjects } from "../environment-check/manifests.ts";
import { sandboxPod } from "../epochs/sandbox.ts";
import { workerObjects } from "../epochs/worker.ts";
import { loaderDocument, statefulSet } from "../model-server/manifests.ts";
import { operatorConfig } from "../shared/config.ts";
import { aCheck, aRun } from "../testing/builders.ts";
import { agentSession, config, digestOf, modelServer } from "../testing/objects.ts";
import { attemptObjects } from "../training-run/manifests.ts";
import type { Container } from "./manifest.ts";

const base = { name: "m", digest: digestOf("d") };
const node = { name: "n", device: "CPU" as const, gpus: 0 };

/** Every container of every pod that Rune makes, by pod. */
function containers(resources: object, installation: typeof config): Record<string, Container[]> {
  const server = modelServer("coder", { spec: { resources } });
  const run = aRun({ spec: { resources } });
  const check = aCheck({ spec: { resources }, status: { nodes: [node] } });
  const owner = agentSession("fix") as ReturnType<typeof agentSession> & { metadata: { uid: string } };
  const worker = { owner, ownerLabel: "rune.dev/session", epoch: 1, document: {}, credentials: {}, secondsLeft: 60 };
  const at = { check, config: installation, remainingSeconds: 60 };
  const templateOf = (objects: readonly object[]) =>
    (objects as { spec?: { template?: { spec: Spec } } }[]).find((each) => each.spec?.template)?.spec?.template?.spec;
  const specs = {
    server: statefulSet(server, installation, loaderDocument(server, installation, { keys: [] })).spec.template.spec,
    run: templateOf(attemptObjects({ run, number: 1, base, config: installation, remainingSeconds: 60 })),
    node: templateOf(nodeObjects(at, node, base, "token")),
    ask: templateOf(askObjects(at, server, "word")),
    agent: templateOf(workerObjects({ ...worker, component: "agent" }, installation)),
    evaluator: templateOf(workerObjects({ ...worker, component: "evaluator" }, installation)),
    sandbox: sandboxPod({ owner, epoch: 1, uid: 100_001, spec: {}, caller: "agent", token: "t" }, installation).spec,
  };
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]]),
  );
}
interface Spec {
  initContainers?: Container[];
  containers: Container[];
}

const said = ({ name, resources }: Container) => ({
  name,
  requests: Object.keys(resources?.requests ?? {}),
  limits: Object.keys(resources?.limits ?? {}),
});

it("a quota on CPU requests and on memory admits every pod whose spec says as much for its own container", () => {
  const pods = containers({ cpu: "1", memory: "4Gi" }, config);
  expect(Object.values(pods).flat()).toHaveLength(11);
  for (const each of Object.values(pods).flat())
    expect(said(each)).toMatchObject({ requests: expect.arrayContaining(["cpu", "memory"]), limits: expect.arrayContaining(["memory"]) });
});

it("a quota on CPU limits too admits every pod, where the installation gives its helpers one and the spec its own container", () => {
  const limited = Object.fromEntries(
    Object.entries(config.helpers).map(([name, { requests, limits }]) => [name, { requests, limits: { ...limits, cpu: "1" } }]),
  );
  const installation = { ...config, helpers: operatorConfig.shape.helpers.parse(limited) };
  for (const each of Object.values(containers({ cpu: "1", cpuLimit: "2", memory: "4Gi" }, installation)).flat())
    expect(said(each)).toMatchObject({ limits: expect.arrayContaining(["cpu", "memory"]) });
});

it("nothing but a sandbox has a CPU limit by itself, since that slows it down on an idle node too", () => {
  const limited = Object.entries(containers({ cpu: "1", memory: "4Gi" }, config)).flatMap(([pod, all]) =>
    all.some((each) => said(each).limits.includes("cpu")) ? [pod] : [],
  );
  expect(limited).toEqual(["sandbox"]);
});
