import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import type { ProbeTargets } from "@rune/crds/contracts/pod";
import { evaluationSubject, logStream } from "@rune/crds/contracts/session-log";
import { label } from "@rune/crds/words/labels";
import { port } from "@rune/crds/words/ports";
import type { KubeObject } from "kopf-ts";
import { executionMemoryMiB } from "../epochs/sandbox.ts";
import { workerObjects } from "../epochs/worker.ts";
import { credentialFile, ownerOf } from "../pods/pod.ts";
import { hostAndPort } from "../shared/address.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { repositoryOf } from "../shared/names.ts";
import { servedBaseName, serverURL } from "../shared/serving.ts";
import type { Unit } from "./batches.ts";
import type { Plan } from "./plan.ts";
import type { Arm, World } from "./world.ts";

export interface EvaluatorInput {
  readonly world: World;
  readonly plan: Plan;
  readonly epoch: number;
  readonly unit: Unit;
  readonly sandboxIP: string;
  readonly targets: ProbeTargets;
  readonly deadline: Date;
  readonly credentials: NonNullable<World["credentials"]>;
  readonly config: OperatorConfig;
  readonly now: Date;
}

/** All objects of one epoch's evaluator. */
export function evaluatorObjects(input: EvaluatorInput): KubeObject[] {
  const { world, epoch, credentials, deadline, now, config } = input;
  const worker = {
    owner: world.evaluation as World["evaluation"] & KubeObject,
    component: "evaluator" as const,
    ownerLabel: label.evaluation,
    epoch,
    document: evaluatorDocument(input),
    credentials: { "nats.creds": credentials.nats, "registry-token": credentials.registry, "runner-token": world.runnerToken },
    secondsLeft: (deadline.getTime() - now.getTime()) / 1000,
  };
  return workerObjects(worker, config);
}

/** The evaluator's input, fully resolved. */
export function evaluatorDocument({ world, plan, epoch, unit, sandboxIP, targets, deadline, config }: EvaluatorInput): EvaluatorJob {
  const { evaluation } = world;
  const { spec, metadata } = evaluation;
  return {
    owner: ownerOf(evaluation),
    epoch,
    active: [...unit.arms],
    claimed: [...unit.adapters],
    arms: spec.arms.map((each) => resolvedArm(each, plan, world, metadata.namespace)),
    taskSet: {
      repository: plan.taskSet.repository,
      digest: plan.taskSet.digest,
      part: spec.taskSet.part,
      ...(spec.taskSet.maxTasks !== undefined && { maxTasks: spec.taskSet.maxTasks }),
    },
    seenTasks: spec.seenTasks,
    samples: spec.samples,
    sampling: spec.sampling,
    seed: spec.seed,
    concurrency: spec.concurrency,
    gate: spec.gate,
    look: { number: unit.look, of: spec.looks },
    sandbox: {
      url: `http://${hostAndPort(sandboxIP, port.runner)}`,
      tokenFile: credentialFile("runner-token"),
      timeoutSeconds: spec.sandbox.timeoutSeconds ?? config.sandbox.timeoutSeconds,
      memoryMiB: executionMemoryMiB(spec.sandbox, config),
      probeTargets: { ...targets },
    },
    registry: { url: config.registry.url, tokenFile: credentialFile("registry-token") },
    report: { repository: repositoryOf.reports(metadata.namespace) },
    nats: {
      url: config.nats.url,
      credentialsFile: credentialFile("nats.creds"),
      stream: logStream,
      subject: evaluationSubject(metadata.uid),
    },
    ...(config.mlflow && { mlflow: config.mlflow }),
    deadline: deadline.toISOString(),
  };
}

function resolvedArm(arm: Arm, plan: Plan, { servers }: World, namespace: string): EvaluatorJob["arms"][number] {
  const server = servers.get(arm.serverRef.name);
  const base = server ? servedBaseName(server.spec.base) : "";
  const planned = plan.arms.find(({ name }) => name === arm.name);
  const { adapters = [], assigned, control, generated, context } = planned ?? {};
  const [only] = arm.adapter ? adapters : [];
  return {
    name: arm.name,
    model: { url: serverURL({ name: arm.serverRef.name, namespace }), base, name: arm.adapter ?? base },
    ...(only && { adapterDigest: only.digest }),
    adapters,
    ...(assigned && { assigned }),
    ...(control && { control }),
    ...(generated && { generated }),
    ...(arm.context &&
      context && {
        context: {
          artifacts: context.artifacts,
          pick: arm.context.pick,
          as: arm.context.as,
          maxTokens: arm.context.maxTokens,
        },
      }),
  };
}
