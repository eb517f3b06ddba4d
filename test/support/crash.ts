import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { kubectl } from "../../cluster/api.ts";
import type { LogRecord } from "../../crds/contracts/session-log.ts";
import { trajectory } from "../../crds/contracts/trajectory.ts";
import type { ArtifactReference } from "../../crds/fields/artifact-reference.ts";
import { label } from "../../crds/words/labels.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { isTrue } from "../../examples/shared/objects.ts";
import { engineCore, secondRank, signal } from "./engine-processes.ts";
import { baseName, complete, logOf, namespace, type Pod, registryOf, system, watchLogs } from "./installation.ts";
import { create, eventually, over, readAll } from "./objects.ts";
import { digestOfLog, type Session, session } from "./sessions.ts";

/**
 * `rank`: the second pipeline rank of vLLM, where `vllm` is its core. A hung rank is stopped: nothing exits, and
 * /health stays 200.
 */
export type Victim = "operator" | "agent" | "vllm" | "rank" | "hung-rank" | "nats" | "registry";
/** The moment of a kill in a session's life: right after this was written. */
export const boundaries = [
  "status.epoch",
  "isolation",
  "generate intent",
  "generated",
  "execute intent",
  "executed",
  "reflected",
  "ended",
] as const;
export type Boundary = (typeof boundaries)[number];

const boundaryOf = (record: LogRecord): string => (record.type === "intent" ? `${record.effect} intent` : record.type);

/** The result of a session during which a component was killed. */
export interface Survival {
  session: Session;
  records: LogRecord[];
  /** Violated guarantees, as sentences; empty when the crash cost nothing but time. */
  violations: string[];
  seconds: number;
}

/** Runs a session, kills the victim at the boundary, and waits for the session to end nevertheless. */
export async function survive(manifest: Manifest, victim: Victim, boundary: Boundary): Promise<Survival> {
  const { name } = manifest.metadata;
  const began = Date.now();
  const seen = new Map<string, Set<string>>();
  const stop = await watchLogs((uid, record) => seen.set(uid, (seen.get(uid) ?? new Set()).add(boundaryOf(record))));
  try {
    await create(manifest);
    const { uid } = (await session(name)).metadata;
    const prepared = await killerOf(victim, name);
    await reached(name, boundary, () => seen.get(uid)?.has(boundary) ?? false);
    await prepared();
  } finally {
    await stop();
  }
  const ended = await over<Session>("AgentSession", namespace, name, 12);
  // The checks read from NATS and the registry, which may have been the victims.
  await recovered();
  const records = await logOf(ended.metadata.uid);
  return { session: ended, records, violations: await violationsOf(ended, records), seconds: Math.round((Date.now() - began) / 1000) };
}

/** Every killed component has recovered before the next is killed. */
export async function recovered(): Promise<void> {
  for (const workload of ["deployment/rune-operator", "deployment/rune-registry", "statefulset/rune-nats"])
    await kubectl(["rollout", "status", workload, "-n", system, "--timeout=180s"]);
  await sleep(5000);
}

/** Waits until the engine (or a restarted one) answers. */
export async function answering(): Promise<void> {
  const answer = () =>
    baseName()
      .then((base) => complete(base, "1, 2,", 2))
      .catch(() => "");
  await eventually("the engine answers again", answer, (text) => text !== "", 4);
}

async function reached(name: string, boundary: Boundary, written: () => boolean): Promise<void> {
  const end = Date.now() + 6 * 60_000;
  const there = boundary === "status.epoch" ? async () => ((await session(name)).status?.epoch ?? 0) > 0 : async () => written();
  while (!(await there())) {
    if (Date.now() > end) throw new Error(`${name} didn't come to its boundary (${boundary}) in 6 minutes`);
    await sleep(20);
  }
}

/** Returns the function that kills the victim. Slow preparations are done before, because the moment counts. */
async function killerOf(victim: Victim, sessionName: string): Promise<() => Promise<void>> {
  switch (victim) {
    case "vllm":
      return () => signal(engineCore, "SIGKILL");
    case "rank":
      return () => signal(secondRank, "SIGKILL");
    case "hung-rank":
      return () => signal(secondRank, "SIGSTOP");
    case "agent":
      return () => killNow(namespace, { [label.component]: "agent", [label.session]: sessionName });
    default:
      return prepareKill(system, { "app.kubernetes.io/component": victim });
  }
}

async function killNow(inNamespace: string, labels: Record<string, string>): Promise<void> {
  await (await prepareKill(inNamespace, labels))();
}

/** Returns a function that deletes the current pods at once, without a grace period. */
export async function prepareKill(inNamespace: string, labels: Record<string, string>): Promise<() => Promise<void>> {
  const names = (await readAll<Pod>("Pod", inNamespace, labels))
    .filter(({ status }) => status.phase === "Running")
    .map(({ metadata }) => metadata.name);
  if (names.length === 0) throw new Error(`there is nobody to kill in ${inNamespace}: ${JSON.stringify(labels)}`);
  return () => deleteAtOnce(inNamespace, ...names);
}

/** Deletes pods as a lost node would. */
export async function deleteAtOnce(inNamespace: string, ...pods: string[]): Promise<void> {
  await kubectl(["delete", "pod", "-n", inNamespace, "--grace-period=0", "--force", "--wait=false", ...pods]);
}

/** Every guarantee about a session's record that a crash might have broken. */
export async function violationsOf(ended: Session, records: readonly LogRecord[]): Promise<string[]> {
  const { repository = "", digest = "" } = ended.status?.trajectory ?? {};
  const stored = digest ? await (await registryOf(repository)).resolveTag(repository, `session-${ended.metadata.uid}`) : null;
  return [
    ...(isTrue(ended, "Succeeded") ? [] : [`it ended ${JSON.stringify(ended.status?.conditions)}`]),
    ...(isTrue(ended, "TrajectorySealed") ? [] : ["its trajectory isn't sealed"]),
    ...(digest === (await digestOfLog(ended)) ? [] : [`its trajectory ${digest} is not what its log says`]),
    ...(stored === digest ? [] : [`the registry's tag leads to ${stored}, its status says ${digest}`]),
    ...(digest ? await sealViolations({ repository, digest }, records) : []),
    ...logViolations(records),
  ];
}

/**
 * The registry's content under the sealed digest must equal the log, byte by byte: a digest alone could be of something
 * else.
 */
async function sealViolations({ repository, digest }: ArtifactReference, records: readonly LogRecord[]): Promise<string[]> {
  try {
    const registry = await registryOf(repository);
    const [layer] = (await registry.manifest(repository, digest)).manifest.layers;
    if (!layer) return ["its sealed trajectory is empty"];
    const sealed = await registry.json(repository, layer, trajectory, layer.size);
    return isDeepStrictEqual(sealed.records, records) ? [] : ["its sealed trajectory has other records than its log"];
  } catch (error) {
    return [`its sealed trajectory can't be read: ${(error as Error).message}`];
  }
}

export function logViolations(records: readonly LogRecord[]): string[] {
  const steps = records.map((record) => `${record.type} ${record.n}`);
  const programs = executedIn(records);
  const newest = records.map((_, index) => Math.max(...records.slice(0, index + 1).map(({ epoch }) => epoch)));
  return [
    ...repeated(steps).map((step) => `${step} stands in the log more than once`),
    ...repeated(programs).map((program) => `a program was judged more than once: ${short(program)}`),
    ...records.flatMap((record, index) =>
      record.epoch < (newest[index] ?? 0) ? [`${record.type} ${record.n} is of epoch ${record.epoch}, after ${newest[index]}`] : [],
    ),
    ...records.flatMap(({ type, n }) => (isResult(type) && !steps.includes(`intent ${n}`) ? [`${type} ${n} has no intent`] : [])),
    ...effectViolations(records),
    ...roundViolations(records),
    ...(records.filter(({ type }) => type === "ended").length === 1 ? [] : ["it doesn't say once how it ended"]),
  ];
}

const resultOf = { generate: "generated", execute: "executed" } as const;

/** Every effect has one result of its kind, or was lost; only the last one may have been cut off by the end. */
function effectViolations(records: readonly LogRecord[]): string[] {
  const intents = records.filter((record) => record.type === "intent");
  return intents.flatMap(({ n, effect }, index) => {
    const results = records.filter((record) => record.n === n && isResult(record.type)).map(({ type }) => type);
    const [only = "no result", ...others] = results;
    if (others.length > 0) return [`the ${effect} of step ${n} has ${results.join(" and ")}`];
    if (only === resultOf[effect] || only === "lost") return [];
    return only === "no result" && index === intents.length - 1 && wasCutOff(records) ? [] : [`the ${effect} of step ${n} has ${only}`];
  });
}

/**
 * New programs of an answer were executed, all of them and in order, and then reflected on; only the end may interrupt
 * that.
 */
function roundViolations(records: readonly LogRecord[]): string[] {
  const rounds: LogRecord[][] = [[]];
  for (const record of records) {
    if (record.type === "generated") rounds.push([]);
    rounds.at(-1)?.push(record);
  }
  return rounds.flatMap((round, index) => {
    const due = deedsAfter(round[0], executedIn(rounds.slice(0, index).flat()));
    const done = round.flatMap(stepOf);
    const isLast = index === rounds.length - 1;
    if (isDeepStrictEqual(done, isLast && wasCutOff(records) ? due.slice(0, done.length) : due)) return [];
    const missing = due.filter((deed) => !done.includes(deed)).map((deed) => `round ${index} lacks ${short(deed)}`);
    const foreign = done.filter((deed) => !due.includes(deed)).map((deed) => `round ${index} has ${short(deed)}, which is not of it`);
    return missing.length + foreign.length > 0 ? [...missing, ...foreign] : [`round ${index} didn't do its work once and in order`];
  });
}

/** The steps that must follow an answer. A program that was judged before would get the same verdict. */
function deedsAfter(answer: LogRecord | undefined, judged: readonly string[]): string[] {
  if (answer?.type !== "generated") return [];
  const fresh = [...new Set(answer.programs)].filter((program) => !judged.includes(program));
  return [...fresh.map(executionOf), reflection];
}

function stepOf(record: LogRecord): string[] {
  if (record.type === "executed") return [executionOf(record.program)];
  return record.type === "reflected" ? [reflection] : [];
}

const reflection = "its reflection";
const executionOf = (program: string) => `the execution of ${program}`;
const wasCutOff = (records: readonly LogRecord[]) =>
  records.some((record) => record.type === "ended" && ["DeadlineExceeded", "Aborted"].includes(record.outcome));
const executedIn = (records: readonly LogRecord[]) => records.flatMap((record) => (record.type === "executed" ? [record.program] : []));
const short = (text: string) => text.slice(0, 80);
const isResult = (type: LogRecord["type"]) => ["generated", "executed", "lost"].includes(type);
const repeated = (values: readonly string[]) => [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
