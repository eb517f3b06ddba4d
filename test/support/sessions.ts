import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { artifactDigest } from "../../clients/registry/registry.ts";
import { settings } from "../../cluster/settings.ts";
import { trajectoryArtifact, trajectoryOf } from "../../controllers/agent-session/trajectory.ts";
import type { Adapter } from "../../crds/kinds/adapter.ts";
import type { AgentSession, Task } from "../../crds/kinds/agent-session.ts";
import { apiVersion } from "../../crds/words/group.ts";
import { label } from "../../crds/words/labels.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { logOf, namespace, offeredModels, project, server } from "./installation.ts";
import { create, fresh, over, read, readAll, remove } from "./objects.ts";

export type Session = AgentSession;

/**
 * A session with a fixed program: the model only completes the stub's last line, which is a comment. Its answer changes
 * nothing, and everything else about the session is real.
 */
export function forcedSession(stem: string, program: string, tests: string, more: object = {}): Manifest {
  const task: Task = {
    id: stem,
    description: "End the comment.",
    entryPoint: "solve",
    stub: `${program}\n# This function`,
    tests,
  };
  const sampling = { temperature: "0", maxTokens: 4, stop: ["\n"] };
  const spec = { attempts: 1, candidates: 1, sampling, sandbox: { timeoutSeconds: 5 }, ...more };
  return sessionOf(fresh(stem), task, spec);
}

/** A small session on a task of the quickstart that the base rarely solves: 2 rounds of 2 candidates. */
export async function workingSession(stem: string, index: number): Promise<Manifest> {
  const tasks: { train: Task[] } = JSON.parse(await readFile(join(settings.root, "examples/00-quickstart/scenario/tasks.json"), "utf8"));
  const task = tasks.train[index % tasks.train.length];
  if (!task) throw new Error("the scenario has no training tasks");
  const sampling = { temperature: "0.8", topP: "1", maxTokens: 64, stop: ["```", "\ndef ", "\n\n"] };
  const sandbox = { libraryConfigMap: "tessera-library", timeoutSeconds: 10 };
  return sessionOf(fresh(stem), task, { attempts: 2, candidates: 2, sampling, sandbox });
}

function sessionOf(name: string, task: Task, spec: object): Manifest {
  const whole = { task, scope: { project }, serverRef: { name: server }, adapter: { policy: "None" }, deadlineSeconds: 1800, ...spec };
  return { apiVersion, kind: "AgentSession", metadata: { name, namespace, labels: { "example.org/test": "true" } }, spec: whole };
}

export const session = (name: string) => read<Session>("AgentSession", namespace, name);

/** The digest that a session's trajectory must have, recomputed from the log in JetStream. */
export async function digestOfLog(ended: Session): Promise<string> {
  const { outcome } = ended.status ?? {};
  if (!outcome) throw new Error(`${ended.metadata.name} has no outcome`);
  const trajectory = trajectoryOf(ended, await logOf(ended.metadata.uid), outcome);
  return await artifactDigest(trajectoryArtifact(trajectory, `rune/${namespace}/trajectories`));
}

/** The adapter that the quickstart's training made. */
export async function goodAdapter(): Promise<Adapter> {
  const [adapter] = await readAll<Adapter>("Adapter", namespace, { [label.run]: project });
  if (!adapter) throw new Error(`namespace ${namespace} has no Adapter of TrainingRun ${project}; run the quickstart first`);
  return adapter;
}

/**
 * Makes sure that the server holds this adapter: a session that claims it causes the load, and it stays until its slot
 * is needed.
 */
export async function held(adapter: string): Promise<void> {
  if ((await offeredModels()).some(({ id }) => id === adapter)) return;
  const claim = forcedSession("claim", "def solve(x):\n    return x", "assert solve(1) == 1", {
    adapter: { policy: "Fixed", name: adapter },
  });
  await create(claim);
  await over("AgentSession", namespace, claim.metadata.name);
  await remove("AgentSession", namespace, claim.metadata.name);
}
