import type { Adapter } from "../../crds/src/adapter.ts";
import type { AgentSession } from "../../crds/src/agent-session.ts";
import { apiVersion, label } from "../../crds/src/common.ts";
import type { ModelServer } from "../../crds/src/model-server.ts";
import type { TrainingRun } from "../../crds/src/training-run.ts";
import type { Manifest } from "../../examples/00-quickstart/manifests.ts";
import { isTrue } from "../../examples/00-quickstart/objects.ts";
import { namespace, type Pod, registryOf, server } from "./installation.ts";
import { eventually, fresh, over, read, readAll } from "./objects.ts";

/** The smallest real training: what one or two solved sessions wrote, into one narrow kind of layer. */
export async function smallRun(stem: string, epochs = 1): Promise<Manifest> {
  const { spec } = await read<ModelServer>("ModelServer", namespace, server);
  const solved = (await readAll<AgentSession>("AgentSession", namespace)).filter(
    (session) => isTrue(session, "Solved") && session.metadata.name.startsWith("learn-"),
  );
  if (solved.length === 0) throw new Error(`no session learn-… of namespace ${namespace} is solved; run the quickstart first`);
  const run = {
    base: spec.base,
    sft: { rank: 8, alpha: 16, targetModules: ["q_proj", "v_proj"], epochs, batchSize: 1, learningRate: "0.001", maxLength: 512 },
    corpus: { sessionNames: solved.slice(0, 2).map(({ metadata }) => metadata.name) },
    output: { scope: { project: "crash" } },
    checkpoint: { everySteps: 2 },
    resources: { cpu: "200m", memory: "8Gi" },
    deadlineSeconds: 3600,
  };
  return { apiVersion, kind: "TrainingRun", metadata: { name: fresh(stem), namespace }, spec: run };
}

/** Waits until the trainer of an attempt runs, or has ended. */
export async function trainer(run: string, state: "running" | "terminated", attempt = 1): Promise<void> {
  await eventually(
    `the trainer of ${run} is ${state}`,
    () =>
      readAll<Pod>("Pod", namespace, {
        "batch.kubernetes.io/job-name": `${run}-a${attempt}`,
      }),
    (pods) => pods.some(({ status }) => status.containerStatuses?.some(({ name, state: found }) => name === "trainer" && found[state])),
    15,
  );
}

/** What a crash might have broken about a run: it has one artifact and one Adapter, whatever happened. */
export async function runViolations(name: string): Promise<{ run: TrainingRun; violations: string[] }> {
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
  ];
  return { run, violations };
}
