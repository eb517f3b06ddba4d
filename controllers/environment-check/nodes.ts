import type { CheckName, CheckResult, EnvironmentCheck, NodeCheck, NodeStatus } from "@rune/crds/kinds/environment-check";
import { mostNodes, nodeChecks } from "@rune/crds/kinds/environment-check";
import { PodCondition } from "@rune/crds/words/conditions";
import type { DynamicObject } from "kopf-ts";
import type { Toleration } from "../pods/manifest.ts";
import type { OperatorConfig } from "../shared/config.ts";

type GPUs = Pick<OperatorConfig, "gpuResourceName">;
interface Taint {
  key: string;
  value?: string;
  effect: string;
}

/** Kubernetes' own taints describe a node's state, not who may use it: such a node is reported, not skipped. */
const ownTaints = "node.kubernetes.io/";

export const resultOf = (name: CheckName, result: CheckResult["result"], message: string): CheckResult => ({ name, result, message });

/** Checks of the spec that run in a node's Job, in order. */
export const wantedOfNode = ({ spec }: EnvironmentCheck): NodeCheck[] => nodeChecks.filter((name) => spec.checks.includes(name));

/** Checks that this node's Job runs; empty where nothing is left to check. */
export function checksOfJob(check: EnvironmentCheck, node: Pick<NodeStatus, "device">): NodeCheck[] {
  if (node.device === "GPU") return wantedOfNode(check);
  return check.spec.device === "CPU" ? wantedOfNode(check).filter((name) => name !== "GPU") : [];
}

/** The result of the check GPU on a node that offers no GPU, which needs no Job. */
export function withoutGPU(check: EnvironmentCheck, { gpuResourceName }: GPUs): CheckResult[] {
  if (!check.spec.checks.includes("GPU")) return [];
  if (check.spec.device === "CPU") return [resultOf("GPU", "NotApplicable", "spec.device is CPU: no GPU is expected here")];
  const message = `the node offers no ${gpuResourceName}; install the driver and the device plugin, or set device: CPU in a new check where the cluster is meant to have none`;
  return [resultOf("GPU", "Fail", message)];
}

/** The nodes that are checked, by name, and the number of other matching nodes. */
export function chosenNodes(
  check: EnvironmentCheck,
  nodes: readonly DynamicObject[],
  config: GPUs,
): { nodes: NodeStatus[]; omitted: number } {
  const matching = nodes
    .filter((node) => matches(node, check))
    .toSorted((one, other) => one.metadata.name.localeCompare(other.metadata.name));
  const offering = matching.filter((node) => gpusOf(node, config) > 0);
  const chosen = check.spec.device === "Auto" && offering.length > 0 ? offering : matching;
  return { nodes: chosen.slice(0, mostNodes).map((node) => atStart(check, node, config)), omitted: Math.max(0, chosen.length - mostNodes) };
}

function atStart(check: EnvironmentCheck, node: DynamicObject, config: GPUs): NodeStatus {
  const offered = check.spec.device === "CPU" ? 0 : gpusOf(node, config);
  const device = offered > 0 ? ("GPU" as const) : ("CPU" as const);
  const seen = { name: node.metadata.name, device, gpus: offered > 0 ? (check.spec.resources.gpus ?? offered) : 0 };
  const away = unavailable(node);
  if (away) return { ...seen, checks: wantedOfNode(check).map((name) => resultOf(name, "Unknown", away)) };
  if (checksOfJob(check, seen).length > 0) return seen;
  const rest = wantedOfNode(check).filter((name) => name !== "GPU");
  return {
    ...seen,
    checks: [
      ...withoutGPU(check, config),
      ...rest.map((name) => resultOf(name, "Unknown", `not tried, because the node offers no ${config.gpuResourceName}`)),
    ],
  };
}

function matches({ metadata, spec }: DynamicObject, { spec: asked }: EnvironmentCheck): boolean {
  const labels = Object.entries(asked.nodeSelector ?? {});
  const taints: Taint[] = spec?.taints ?? [];
  return (
    labels.every(([name, value]) => metadata.labels?.[name] === value) &&
    taints.every((taint) => taint.effect === "PreferNoSchedule" || taint.key.startsWith(ownTaints) || isTolerated(taint, asked.tolerations))
  );
}

const isTolerated = ({ key, value = "", effect }: Taint, tolerations: readonly Toleration[] = []): boolean =>
  tolerations.some(
    (each) =>
      (each.key === undefined || each.key === "" || each.key === key) &&
      (each.effect === undefined || each.effect === effect) &&
      (each.operator === "Exists" || (each.value ?? "") === value),
  );

const gpusOf = ({ status }: DynamicObject, { gpuResourceName }: GPUs): number =>
  Math.min(64, Number(status?.allocatable?.[gpuResourceName] ?? 0));

function unavailable({ metadata, spec, status }: DynamicObject): string | null {
  if (spec?.unschedulable) return `node ${metadata.name} is cordoned; uncordon it and create a new check`;
  const ready = status?.conditions?.find(({ type }: { type: string }) => type === PodCondition.Ready);
  return ready?.status === "True" ? null : `node ${metadata.name} isn't Ready${ready?.message ? `: ${ready.message}` : ""}`;
}

/** One result over all nodes: one failure is a failure; a pass needs a result from every node. */
export function overNodes(name: NodeCheck, nodes: readonly NodeStatus[]): CheckResult {
  const found = nodes.flatMap((node) =>
    (node.checks ?? []).filter((each) => each.name === name).map((each) => ({ node: node.name, ...each })),
  );
  for (const result of ["Fail", "Unknown"] as const) {
    const such = found.filter((each) => each.result === result);
    const [first] = such;
    if (first)
      return resultOf(name, result, `${nodes.length === 1 ? "" : `${such.length} of ${count(nodes)}: `}${first.node}: ${first.message}`);
  }
  const passed = found.find(({ result }) => result === "Pass");
  if (passed)
    return resultOf(name, "Pass", nodes.length === 1 ? passed.message : `on ${count(nodes)}; on ${passed.node}: ${passed.message}`);
  return resultOf(name, "NotApplicable", found[0]?.message ?? "no node was looked at");
}

const count = (nodes: readonly NodeStatus[]) => `${nodes.length} ${nodes.length === 1 ? "node" : "nodes"}`;

/** Versions that all nodes share; where they differ, all of them. */
export function commonVersions(nodes: readonly NodeStatus[]): Record<string, string> {
  const entries = nodes.flatMap(({ versions }) => Object.entries(versions ?? {}));
  const grouped = Map.groupBy(entries, ([name]) => name);
  return Object.fromEntries(
    [...grouped]
      .slice(0, 16)
      .map(([name, found]) => [name, [...new Set(found.map(([, version]) => version))].sort().join(", ").slice(0, 100)]),
  );
}
