import { setTimeout as pause } from "node:timers/promises";
import type { ApiServer } from "./api-server.ts";
import { operatorUser } from "./api-server.ts";
import { requestsIn, totalOf } from "./audit.ts";
import { cores, moveSelf } from "./cores.ts";
import type { Api } from "./http.ts";
import { type Answers, Observer } from "./observer-process.ts";
import { type Launch, OperatorProcess } from "./operator-process.ts";
import type { OperatorName } from "./operators.ts";
import { coreBusyMilliseconds, monotonicMicroseconds } from "./proc.ts";
import type { Sample } from "./sample.ts";
import type { Sizes, WorkloadName } from "./settings.ts";
import { percentile } from "./statistics.ts";
import { type Batch, createNamespace, createWidgets, reviseWidget } from "./widgets.ts";

/** One operator, about to run one workload in a dedicated namespace. */
export interface Trial {
  readonly workload: WorkloadName;
  readonly operator: OperatorName;
  readonly round: number;
  readonly command: readonly string[];
  readonly server: ApiServer;
  readonly api: Api;
  readonly sizes: Sizes;
  readonly workers: number;
}

interface Load {
  readonly mode: Launch["mode"];
  /** Before the operator starts. */
  readonly prepare?: (namespace: string) => Promise<void>;
  /** Sent to the running operator before measuring. */
  readonly warmUp?: Omit<Batch, "namespace">;
  /** The answers to wait for before measuring. */
  readonly warmUpAnswers?: number;
  readonly apply?: (namespace: string) => Promise<void>;
  /** Revisions to be answered. */
  readonly answers: number;
  /** Units of work behind each answer. */
  readonly unitsPerAnswer: number;
  /** Latency counts from the operator's start. */
  readonly fromStart?: boolean;
}

const settleMilliseconds = 500;

export async function runTrial(trial: Trial): Promise<Sample> {
  return trial.workload === "memory" ? await memory(trial) : await reconciling(trial, loadOf(trial));
}

function loadOf({ workload, api, sizes }: Trial): Load {
  const warm = { mode: "status", warmUp: { prefix: "warm", count: sizes.warmUp }, warmUpAnswers: sizes.warmUp, unitsPerAnswer: 1 } as const;
  const create = (prefix: string, count: number, children?: number) => (namespace: string) =>
    createWidgets(api, { namespace, prefix, count, ...(children === undefined ? {} : { children }) });
  switch (workload) {
    case "burst":
      return { ...warm, answers: sizes.burst, apply: create("burst", sizes.burst) };
    case "cold":
    case "coldLarge": {
      const count = sizes[workload];
      return { mode: "status", answers: count, unitsPerAnswer: 1, fromStart: true, prepare: create("cold", count) };
    }
    case "steady": {
      const { objects, perSecond, seconds } = sizes.steady;
      const apply = (namespace: string) => updateSteadily(api, namespace, sizes.steady);
      const prepare = create("steady", objects);
      return { mode: "status", prepare, warmUpAnswers: objects, answers: perSecond * seconds, unitsPerAnswer: 1, apply };
    }
    case "hot":
      return { ...warm, answers: sizes.hot, apply: (namespace) => updateOne(api, namespace, sizes.hot) };
    case "children": {
      const { parents, each } = sizes.children;
      const warmUp = { prefix: "warm", count: Math.ceil(sizes.warmUp / each), children: each };
      return {
        ...{ mode: "children", warmUp, warmUpAnswers: warmUp.count, unitsPerAnswer: each + 1 },
        ...{ answers: parents, apply: create("parent", parents, each) },
      };
    }
    case "memory":
      throw new Error("memory is not a workload of reconciles");
  }
}

/** `perSecond` updates, one object after the other; a slow request delays no other. */
async function updateSteadily(api: Api, namespace: string, { objects, perSecond, seconds }: Sizes["steady"]): Promise<void> {
  const sent: Promise<void>[] = [];
  const began = performance.now();
  for (let update = 0; update < perSecond * seconds; update += 1) {
    const due = began + (update * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 1) await pause(wait);
    sent.push(reviseWidget(api, namespace, `steady-${update % objects}`, 2 + Math.floor(update / objects)));
  }
  await Promise.all(sent);
}

/** One object, changed again as soon as the server has accepted the last change. */
async function updateOne(api: Api, namespace: string, updates: number): Promise<void> {
  await createWidgets(api, { namespace, prefix: "hot", count: 1 });
  for (let revision = 2; revision <= updates; revision += 1) await reviseWidget(api, namespace, "hot-0", revision);
}

async function reconciling(trial: Trial, load: Load): Promise<Sample> {
  const { server, api, sizes, operator, round, workload, workers } = trial;
  const namespace = `${workload.toLowerCase()}-${operator}-${round}`;
  const limit = sizes.limitSeconds * 1000;
  await createNamespace(api, namespace);
  if (load.prepare) {
    // Nothing is measured yet: all cores may help.
    await moveSelf(cores.all);
    await load.prepare(namespace);
    await moveSelf(cores.others);
    await pause(settleMilliseconds);
  }
  const observer = await Observer.start(server.kubeconfigs.load, namespace);
  if (load.fromStart) await observer.forget();
  const fromStart = load.fromStart ? await server.auditPosition() : undefined;
  const coreAtStart = coreUse();
  const process = new OperatorProcess({
    command: trial.command,
    kubeconfig: server.kubeconfigs.operator,
    mode: load.mode,
    namespace,
    workers,
  });
  try {
    const syncMicroseconds = await process.synced();
    const idle = load.fromStart ? undefined : await warmUp(process, observer, trial, load, namespace);
    const passesBefore = load.fromStart ? 0 : await process.passes();
    const cpuBefore = load.fromStart ? 0 : process.usage().cpuMilliseconds;
    const coreBefore = fromStart === undefined ? coreUse() : coreAtStart;
    const position = fromStart ?? (await server.auditPosition());
    if (!load.fromStart) await observer.forget();
    await load.apply?.(namespace);
    const answers = await observer.answers(load.answers, limit);
    await pause(settleMilliseconds);
    const after = process.usage();
    const core = coreUse();
    const passes = (await process.passes()) - passesBefore;
    const requests = requestsIn(await server.auditSince(position), operatorUser);
    return {
      ...{ workload, operator, round },
      ...figuresOf(answers, load, process.startedAt),
      ...perUnit(answers.answeredAt.length * load.unitsPerAnswer, {
        cpu: after.cpuMilliseconds - cpuBefore,
        passes,
        requests: totalOf(requests),
      }),
      requests,
      othersOnCore: Math.max(0, (core.busy - coreBefore.busy - (after.cpuMilliseconds - cpuBefore)) / (core.at - coreBefore.at)),
      // Kopf has no cache to complete.
      ...(operator === "kopf" ? {} : { syncMilliseconds: syncMicroseconds / 1000 }),
      ...(idle === undefined ? {} : { rssIdleMebibytes: idle }),
      rssPeakMebibytes: after.peakMebibytes,
    };
  } finally {
    await process.stop();
    observer.stop();
  }
}

const coreUse = () => ({ busy: coreBusyMilliseconds(cores.operator), at: performance.now() });

/** Returns the memory before the first object came; undefined where objects existed from the start. */
async function warmUp(
  process: OperatorProcess,
  observer: Observer,
  { api, sizes }: Trial,
  load: Load,
  namespace: string,
): Promise<number | undefined> {
  await pause(2 * settleMilliseconds);
  const idle = load.prepare ? undefined : process.usage().rssMebibytes;
  if (load.warmUp) await createWidgets(api, { namespace, ...load.warmUp });
  const wanted = load.warmUpAnswers ?? 0;
  const { answeredAt } = await observer.answers(wanted, sizes.limitSeconds * 1000);
  if (answeredAt.length < wanted)
    throw new Error(`only ${answeredAt.length} of ${wanted} objects of the warm-up were reconciled in ${sizes.limitSeconds} s`);
  await pause(settleMilliseconds);
  return idle;
}

function figuresOf({ sentAt, answeredAt }: Answers, load: Load, startedAt: number): Pick<Sample, "units" | "done"> & Partial<Sample> {
  const counts = { units: load.answers * load.unitsPerAnswer, done: answeredAt.length * load.unitsPerAnswer };
  if (answeredAt.length === 0) return counts;
  const began = load.fromStart ? startedAt : sentAt.reduce((least, one) => Math.min(least, one));
  const seconds = ((answeredAt.at(-1) as number) - began) / 1e6;
  const latencies = answeredAt.map((at, index) => (at - (load.fromStart ? startedAt : (sentAt[index] as number))) / 1000);
  return {
    ...counts,
    seconds,
    unitsPerSecond: counts.done / seconds,
    p50Milliseconds: percentile(latencies, 50),
    p99Milliseconds: percentile(latencies, 99),
  };
}

function perUnit(units: number, totals: { cpu: number; passes: number; requests: number }): Partial<Sample> {
  if (units === 0) return {};
  return {
    cpuMillisecondsPerUnit: totals.cpu / units,
    passesPerUnit: totals.passes / units,
    requestsPerUnit: totals.requests / units,
  };
}

/** What a cache of metadata-only objects costs: two fresh processes, one without objects, one with. */
async function memory(trial: Trial): Promise<Sample> {
  const { api, sizes, operator, round, workload } = trial;
  const count = sizes.memory;
  const [empty, filled] = [`memory-none-${operator}-${round}`, `memory-${operator}-${round}`];
  await createNamespace(api, empty);
  await createNamespace(api, filled);
  await moveSelf(cores.all);
  await createWidgets(api, { namespace: filled, prefix: "bare", count, metadataOnly: true });
  await moveSelf(cores.others);
  const without = await cacheOnly(trial, empty);
  const withObjects = await cacheOnly(trial, filled);
  const growth = withObjects.rss - without.rss;
  return {
    ...{ workload, operator, round, units: count, done: count },
    rssIdleMebibytes: without.rss,
    rssPeakMebibytes: withObjects.peak,
    syncMilliseconds: withObjects.sync,
    rssGrowthMebibytes: growth,
    growthKibibytesPerObject: (growth * 1024) / count,
  };
}

async function cacheOnly({ command, server, workers }: Trial, namespace: string) {
  const began = monotonicMicroseconds();
  const process = new OperatorProcess({ command, kubeconfig: server.kubeconfigs.operator, mode: "cache", namespace, workers });
  try {
    await process.synced();
    const sync = (monotonicMicroseconds() - began) / 1000;
    await pause(4_000);
    const { rssMebibytes, peakMebibytes } = process.usage();
    return { sync, rss: rssMebibytes, peak: peakMebibytes };
  } finally {
    await process.stop();
  }
}
