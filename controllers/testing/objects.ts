import { type Adapter, adapter as adapterKind } from "@rune/crds/kinds/adapter";
import { type AgentSession, agentSession as agentSessionKind } from "@rune/crds/kinds/agent-session";
import { type Evaluation, evaluation as evaluationKind } from "@rune/crds/kinds/evaluation";
import type { ObjectMeta } from "@rune/crds/kinds/kind";
import { type ModelServer, modelServer as modelServerKind } from "@rune/crds/kinds/model-server";
import { apiVersion } from "@rune/crds/words/group";
import type { DynamicObject } from "kopf-ts";
import type { z } from "zod";
import { operatorConfig } from "../shared/config.ts";

/** Objects and configuration for tests of controllers: small, valid, and with the schemas' defaults. */

export const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`;
export const baseDigest = digestOf("b");

const image = (repository: string) => ({ repository: `registry.example/${repository}`, tag: "1" });
export const config = operatorConfig.parse({
  operatorNamespace: "rune-system",
  images: Object.fromEntries(
    ["adapterLoader", "vllm", "trainer", "agent", "evaluator", "sandbox"].map((name) => [name, image(name.toLowerCase())]),
  ),
  registry: { url: "http://rune-registry.rune-system.svc:5000" },
  nats: { url: "nats://rune-nats.rune-system.svc:4222" },
  canary: { host: "rune-canary.rune-system.svc" },
});

export function metadata(name: string, more: Partial<ObjectMeta> = {}): ObjectMeta {
  return {
    name,
    namespace: "default",
    uid: `uid-of-${name}`,
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    ...more,
  };
}

export const condition = (type: string, status: "True" | "False" = "True", lastTransitionTime = "2026-01-01T00:00:00Z") => ({
  type,
  status,
  reason: type,
  message: "",
  lastTransitionTime,
});

type Given<Schema extends z.ZodObject, Status> = { spec?: Partial<z.input<Schema>>; status?: Status; metadata?: Partial<ObjectMeta> };

export function modelServer(name = "coder", given: Given<typeof modelServerKind.spec, ModelServer["status"]> = {}): ModelServer {
  const spec = modelServerKind.spec.parse({ base: { oci: { repository: "rune/models/coder", digest: digestOf("a") } }, ...given.spec });
  return { apiVersion, kind: "ModelServer", metadata: metadata(name, given.metadata), spec, status: given.status };
}

/** A verified Adapter, unless a status is given. */
export function adapter(name: string, given: Given<typeof adapterKind.spec, Adapter["status"]> = {}): Adapter {
  const spec = adapterKind.spec.parse({
    base: { name: "coder", digest: baseDigest },
    artifact: { repository: "rune/default/adapters", digest: digestOf("1"), sizeBytes: 100 },
    rank: 16,
    alpha: 32,
    targetModules: ["q_proj"],
    scope: { project: "tessera" },
    source: { kind: "Import" },
    ...given.spec,
  });
  const status = "status" in given ? given.status : { conditions: [condition("Ready")] };
  return { apiVersion, kind: "Adapter", metadata: metadata(name, given.metadata), spec, status };
}

export function agentSession(name: string, given: Given<typeof agentSessionKind.spec, AgentSession["status"]> = {}): AgentSession {
  const task = { id: "t", description: "d", tests: "assert f() == 1", entryPoint: "f" };
  const spec = agentSessionKind.spec.parse({ task, scope: {}, serverRef: { name: "coder" }, ...given.spec });
  return { apiVersion, kind: "AgentSession", metadata: metadata(name, given.metadata), spec, status: given.status };
}

/** A session that has picked this adapter. */
export const claiming = (
  adapterName: string,
  name = `wants-${adapterName}`,
  given: { metadata?: Partial<ObjectMeta>; conditions?: ReturnType<typeof condition>[] } = {},
) =>
  agentSession(name, {
    metadata: given.metadata,
    status: { adapter: { name: adapterName, reason: "MostRelevant", message: "" }, conditions: given.conditions },
  });

export function evaluation(name: string, given: Given<typeof evaluationKind.spec, Evaluation["status"]> = {}): Evaluation {
  const taskSet = { repository: "rune/default/tasks", digest: digestOf("f") };
  const spec = evaluationKind.spec.parse({ arms: [{ name: "base", serverRef: { name: "coder" } }], taskSet, ...given.spec });
  return { apiVersion, kind: "Evaluation", metadata: metadata(name, given.metadata), spec, status: given.status };
}

/** A pod of a ModelServer, ready by default. */
export function enginePod(
  name: string,
  status: object = { conditions: [{ type: "Ready", status: "True" }], podIP: "10.0.0.1" },
): DynamicObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default", uid: `uid-of-${name}` }, status };
}
