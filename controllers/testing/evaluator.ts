import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { jobs, type KubeObject, pods } from "kopf-ts";
import type { FakeApiServer } from "kopf-ts/testing";
import { ownedBy } from "../epochs/sandbox.ts";

/** Plays the Job controller and the kubelet after the evaluator of an epoch has succeeded. */
export function endEvaluator(api: FakeApiServer, evaluation: Evaluation, epoch: number, output: object): void {
  const { namespace, name, uid } = evaluation.metadata;
  const jobName = `${name}-ev${epoch}`;
  const controller = { apiVersion: "rune.dev/v1alpha1", kind: "Evaluation", name, uid, controller: true };
  const job = api.put(jobs, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { namespace, name: jobName, ownerReferences: [controller] },
    status: { conditions: [{ type: "Complete", status: "True" }] },
  } as KubeObject);
  const terminated = { exitCode: 0, message: JSON.stringify(output) };
  api.put(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      name: `${jobName}-0`,
      labels: ownedBy({ metadata: { uid } }, "evaluator", epoch),
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: jobName, uid: job.metadata.uid ?? "" }],
    },
    status: { containerStatuses: [{ name: "evaluator", state: { terminated } }] },
  } as KubeObject);
}
