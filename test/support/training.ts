import { kubectl } from "../../cluster/api.ts";
import type { Adapter } from "../../crds/kinds/adapter.ts";
import type { AgentSession } from "../../crds/kinds/agent-session.ts";
import type { ModelServer } from "../../crds/kinds/model-server.ts";
import type { TrainingRun } from "../../crds/kinds/training-run.ts";
import { apiVersion } from "../../crds/words/group.ts";
import { label } from "../../crds/words/labels.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { isTrue } from "../../examples/shared/objects.ts";
import { namespace, type Pod, registryOf, server } from "./installation.ts";
import { eventually, fresh, over, read, readAll } from "./objects.ts";
import { goodAdapter } from "./sessions.ts";

/** Methods that the quickstart's installation has inputs for: it has no hypernetwork to generate with. */
export type Method = "sft" | "merge" | "control";

/** The smallest real run of a method. */
export async function smallRun(stem: string, { method = "sft", epochs = 1 }: { method?: Method; epochs?: number } = {}): Promise<Manifest> {
  const { spec } = await read<ModelServer>("ModelServer", namespace, server);
  const run = {
    base: spec.base,
    ...(await sections[method](epochs)),
    output: { scope: { project: "crash" } },
    resources: { cpu: "200m", memory: "8Gi" },
    deadlineSeconds: 3600,
  };
  return { apiVersion, kind: "TrainingRun", metadata: { name: fresh(stem), namespace }, spec: run };
}

const sections: Record<Method, (epochs: number) => Promise<object>> = {
  /** On one or two solved sessions, of one narrow kind of layer. */
  sft: async (epochs) => ({
    sft: { rank: 8, alpha: 16, targetModules: ["q_proj", "v_proj"], epochs, batchSize: 1, learningRate: "0.001", maxLength: 512 },
    corpus: { sessionNames: await solvedSessions() },
    checkpoint: { everySteps: 2 },
  }),
  /**
   * Of the quickstart's adapter alone, at its own strength, since it may be the only one. Trimming forms every layer's
   * whole matrix, which takes long enough for a kill in the middle.
   */
  merge: async () => {
    const { name } = (await goodAdapter()).metadata;
    return { merge: { adapters: [name], normOf: name, combine: "Ties" }, checkpoint: { everySteps: 10 } };
  },
  control: async () => ({ control: { like: (await goodAdapter()).metadata.name, kind: "RandomOfEqualNorm" } }),
};

async function solvedSessions(): Promise<string[]> {
  const solved = (await readAll<AgentSession>("AgentSession", namespace)).filter(
    (session) => isTrue(session, "Solved") && session.metadata.name.startsWith("learn-"),
  );
  if (solved.length === 0) throw new Error(`no session learn-… of namespace ${namespace} is solved; run the quickstart first`);
  return solved.slice(0, 2).map(({ metadata }) => metadata.name);
}

/** Waits until the trainer of an attempt runs, or has ended. */
export async function trainer(run: string, state: "running" | "terminated", attempt = 1): Promise<void> {
  await eventually(
    `the trainer of ${run} is ${state}`,
    () => trainersOf(run, attempt),
    (pods) => pods.some((pod) => isTrainer(pod, state)),
    15,
  );
}

/** Waits until no trainer of an attempt runs: its pod may be deleted meanwhile. */
export async function trainerStopped(run: string, attempt: number): Promise<void> {
  await eventually(
    `no trainer of ${run} runs`,
    () => trainersOf(run, attempt),
    (pods) => !pods.some((pod) => isTrainer(pod, "running")),
  );
}

const trainersOf = (run: string, attempt: number) =>
  readAll<Pod>("Pod", namespace, { "batch.kubernetes.io/job-name": `${run}-a${attempt}` });

const isTrainer = ({ status }: Pod, state: "running" | "terminated") =>
  status.containerStatuses?.some(({ name, state: found }) => name === "trainer" && found[state] !== undefined) ?? false;

/** The log of an attempt's trainer. */
export const trainerLog = (run: string, attempt: number) => kubectl(["logs", "-n", namespace, `job/${run}-a${attempt}`, "-c", "trainer"]);

/** How far a run's first trainer was when it was killed: its log, and whether its artifact was in the registry. */
export interface Death {
  log: string;
  pushed: boolean;
}

/** What a second attempt must not do: repeat work that a checkpoint or even the artifact contains. */
export function resumptionViolations({ log, pushed }: Death, next: string, everySteps: number): string[] {
  const last = stepsIn(log).at(-1) ?? 1;
  // A step is reported before its checkpoint is written.
  const checkpoint = Math.floor((last - 1) / everySteps) * everySteps;
  const [first] = stepsIn(next);
  if (pushed && first !== undefined) return [`attempt 2 trained from step ${first} although the artifact was stored`];
  if (first === undefined) return adoption.test(next) ? [] : ["attempt 2 neither trained nor adopted an artifact"];
  return first > checkpoint ? [] : [`attempt 2 began at step ${first} although there was a checkpoint of step ${checkpoint}`];
}

/** Steps in the trainer's log, a merge's without a loss: the first, the last and some between, or a line that nothing is left to do. */
const stepsIn = (log: string) => [...log.matchAll(/^step (\d+)\/\d+(?: loss|,)/gm)].map(([, step]) => Number(step));
const adoption = /^an earlier attempt has already published sha256:/m;

/**
 * Guarantees about a run that a crash might have broken: it has one artifact and one Adapter, whatever happened. If its
 * first trainer was killed, a second one continued.
 */
export async function runViolations(name: string, death?: Death): Promise<{ run: TrainingRun; violations: string[] }> {
  const run = await over<TrainingRun>("TrainingRun", namespace, name, 20);
  const adapters = await readAll<Adapter>("Adapter", namespace, { [label.run]: name });
  const { repository = "", digest = "" } = run.status?.result ?? {};
  const stored = repository ? await (await registryOf(repository)).resolveTag(repository, `run-${run.metadata.uid}`) : null;
  const violations = [
    ...(isTrue(run, "Succeeded") ? [] : [`it ended ${JSON.stringify(run.status?.conditions)}`]),
    ...(adapters.length === 1 ? [] : [`it made ${adapters.length} Adapters`]),
    ...(adapters[0]?.metadata.name === run.status?.adapter ? [] : [`its status names ${run.status?.adapter}`]),
    ...(adapters[0]?.spec.artifact.digest === digest ? [] : ["its Adapter is of another digest"]),
    ...(stored === digest ? [] : [`the registry's tag leads to ${stored}, its status says ${digest}`]),
    ...(death ? await secondLifeViolations(run, death) : []),
  ];
  return { run, violations };
}

async function secondLifeViolations(run: TrainingRun, death: Death): Promise<string[]> {
  const { name } = run.metadata;
  if (run.status?.attempts?.length !== 2) return [`it took ${run.status?.attempts?.length} attempts, not a second one after the kill`];
  // A control is made in one go: its second attempt begins again.
  return run.spec.control ? [] : resumptionViolations(death, await trainerLog(name, 2), run.spec.checkpoint.everySteps);
}
