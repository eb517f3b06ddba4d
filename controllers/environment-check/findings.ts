import { askResult, environmentResult } from "@rune/crds/contracts/environment";
import { type CheckName, type CheckResult, checkNames, type EnvironmentCheck, type NodeStatus } from "@rune/crds/kinds/environment-check";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, isTrue } from "kopf-ts";
import { sameBase } from "../pods/base-model.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { generatedName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { adapterOn } from "../shared/serving.ts";
import { truncateMessage } from "../shared/truncate-message.ts";
import type { JobState } from "./job-state.ts";
import { checksOfJob, commonVersions, overNodes, resultOf, wantedOfNode, withoutGPU } from "./nodes.ts";
import type { World } from "./world.ts";

type Status = NonNullable<EnvironmentCheck["status"]>;
type Found = Pick<Status, "nodes" | "adapter" | "checks" | "versions">;

/** After this time without room for its Job a node counts as occupied by others. */
const schedulingSeconds = 300;

/** Every check that must have a result, in order. */
export const wantedChecks = ({ spec }: EnvironmentCheck): CheckName[] =>
  checkNames.filter((name) => (name === "KnownGood" ? spec.knownGood !== undefined : spec.checks.includes(name)));

export const known = ({ status }: EnvironmentCheck, name: CheckName): CheckResult | undefined =>
  status?.checks?.find((each) => each.name === name);

/**
 * The status with all available results, or null if nothing is new. Results are frozen: a later pass never changes one.
 */
export function newFindings(world: World, config: OperatorConfig, now: Date): Found | null {
  const { check } = world;
  const { nodes = [], adapter, checks = [] } = check.status ?? {};
  const looked = nodes.map((node, index) => seenOf(check, node, world.work[index] ?? { state: "Absent" }, config, now));
  const made = adapter ?? looked.flatMap((each) => each.adapter ?? [])[0];
  const seen = looked.map(({ node }) => node);
  const found = wantedChecks(check).flatMap(
    (name) => known(check, name) ?? resultNow(name, { ...world, check: withNodes(check, seen, made) }) ?? [],
  );
  const news = seen.some((node, index) => node !== nodes[index]) || made !== adapter || found.length > checks.length;
  if (!news) return null;
  return {
    nodes: seen,
    checks: found.map((each) => ({ ...each, message: truncateMessage(each.message) })),
    versions: commonVersions(seen),
    ...(made && { adapter: made }),
  };
}

const withNodes = (check: EnvironmentCheck, nodes: NodeStatus[], adapter: Status["adapter"]): EnvironmentCheck => ({
  ...check,
  status: { ...check.status, nodes, ...(adapter && { adapter }) },
});

/** A node with the results of its Job, once that has ended. */
function seenOf(
  check: EnvironmentCheck,
  node: NodeStatus,
  work: JobState,
  config: OperatorConfig,
  now: Date,
): { node: NodeStatus; adapter?: Status["adapter"] } {
  if (node.checks) return { node };
  const wanted = checksOfJob(check, node);
  const before = node.device === "CPU" ? withoutGPU(check, config) : [];
  const unknown = (why: string) => ({
    node: { ...node, checks: [...before, ...wanted.map((name) => resultOf(name, "Unknown", truncateMessage(why)))] },
  });
  if (work.state === "Running" && isTaken(work, now)) return unknown(work.trouble?.message ?? "");
  if (work.state === "Lost" && !work.again) return unknown(`its Job said nothing: ${work.message}`);
  if (work.state !== "Ended") return { node };
  const told = environmentResult.safeParse(work.output);
  if (!told.success) return unknown("its Job ended without a result; spec.image may be another version's");
  const checks = wanted.map(
    (name) => told.data.checks.find((each) => each.name === name) ?? resultOf(name, "Unknown", "its Job didn't say"),
  );
  const { adapter } = told.data;
  return {
    node: { ...node, checks: [...before, ...checks], versions: told.data.versions },
    ...(adapter && { adapter: { name: generatedName(check.metadata, adapter.digest), ...adapter } }),
  };
}

/** Whether a Job has waited too long for room on its node. */
const isTaken = (work: JobState, now: Date): boolean =>
  work.state === "Running" &&
  work.trouble?.reason === Reason.Unschedulable &&
  now.getTime() - Date.parse(work.since) > schedulingSeconds * 1000;

export const nodesDone = ({ status }: EnvironmentCheck): boolean => (status?.nodes ?? []).every(({ checks }) => checks !== undefined);

/** The result of one check that is available now, if any. */
function resultNow(name: CheckName, world: World): CheckResult | null {
  const { check } = world;
  switch (name) {
    case "GPU":
    case "Torch":
    case "QLoRA":
      return wantedOfNode(check).includes(name) && nodesDone(check) ? overNodes(name, check.status?.nodes ?? []) : null;
    case "Serving":
      return serving(world);
    case "Adapter":
      return answering(world);
    case "KnownGood":
      return remembering(world);
    default:
      return name satisfies never;
  }
}

function serving({ check, server }: World): CheckResult | null {
  if (!server) return null;
  if (!sameBase(server.spec.base, check.spec.base))
    return resultOf(
      "Serving",
      "Fail",
      `ModelServer ${server.metadata.name} serves another base than spec.base; name a server of that base in a new check`,
    );
  const said = getCondition(server, ConditionType.Ready);
  const words = `ModelServer ${server.metadata.name}: ${said?.message ?? ""}`;
  if (isTrue(server, ConditionType.Ready)) return resultOf("Serving", "Pass", words);
  return isTrue(server, ConditionType.Stalled) ? resultOf("Serving", "Fail", words) : null;
}

/** Why there is no server to ask, or no adapter to ask with. */
function nothingToAsk({ check }: World, name: "Adapter" | "KnownGood"): CheckResult | null {
  const server = known(check, "Serving");
  return server && server.result !== "Pass"
    ? resultOf(name, "Unknown", "the server didn't become Ready, so there was nobody to ask")
    : null;
}

function answering(world: World): CheckResult | null {
  const { check, server, adapter, ask } = world;
  const made = check.status?.adapter;
  if (!made) {
    const first = check.status?.nodes?.[0]?.name;
    return nodesDone(check)
      ? resultOf("Adapter", "Unknown", `there is no adapter to ask with: node ${first}, which makes it, didn't pass the check QLoRA`)
      : null;
  }
  if (adapter && isTrue(adapter, ConditionType.Stalled))
    return resultOf("Adapter", "Fail", `Adapter ${made.name}: ${getCondition(adapter, ConditionType.Ready)?.message ?? "is stalled"}`);
  if (ask.state === "Lost" && !ask.again)
    return resultOf("Adapter", "Fail", `${server?.metadata.name ?? "the server"} couldn't be asked: ${ask.message}`);
  if (ask.state === "Ended") return judged(world, ask.output);
  return refusedBy(server, made.name, "Adapter") ?? nothingToAsk(world, "Adapter");
}

/** With the adapter the server must answer the word; without it, it must not. */
function judged({ check }: World, output: unknown): CheckResult {
  const nonce = check.status?.nonce ?? "";
  const told = askResult.safeParse(output);
  const [withIt, without] = told.success ? told.data.answers : [];
  if (withIt === undefined || without === undefined)
    return resultOf("Adapter", "Unknown", "the Job that asked the server ended without its answers");
  if (!withIt.includes(nonce))
    return resultOf(
      "Adapter",
      "Fail",
      `the server with the adapter doesn't say ${nonce}, which the base had learnt: it says ${quoted(withIt)}`,
    );
  if (without.includes(nonce))
    return resultOf("Adapter", "Fail", `the server says ${nonce} without the adapter as well, so it doesn't keep base and adapter apart`);
  return resultOf("Adapter", "Pass", `the server says ${nonce} with the adapter and ${quoted(without)} without it`);
}

const quoted = (text: string) => JSON.stringify(text.length > 120 ? `${text.slice(0, 120).toWellFormed()}…` : text);

function refusedBy(server: ModelServer | undefined, adapter: string, name: "Adapter" | "KnownGood"): CheckResult | null {
  const state = adapterOn(server, adapter);
  if (state?.state !== "Refused") return null;
  return resultOf(name, "Fail", `${server?.metadata.name} refused ${adapter}: ${state.message ?? state.reason ?? ""}`);
}

/** The loader checks the fingerprint of every adapter that it loads; that is the regression test. */
function remembering(world: World): CheckResult | null {
  const { check, server } = world;
  const name = check.spec.knownGood?.adapter ?? "";
  const state = adapterOn(server, name);
  // A loader reports Loaded only after this check.
  if (state?.state === "Loaded" && state.canary && check.status?.claim?.adapter === name) {
    if (state.canary === "Matched") return resultOf("KnownGood", "Pass", `${name} answers as its fingerprint says`);
    if (state.canary === "Mismatched") return resultOf("KnownGood", "Fail", `${name} answers otherwise than its fingerprint says`);
    return resultOf(
      "KnownGood",
      "Unknown",
      `${name} is loaded, but its artifact holds no fingerprint, or neither answer could be told apart`,
    );
  }
  return refusedBy(server, name, "KnownGood") ?? nothingToAsk(world, "KnownGood");
}
