import { z } from "zod";
import { agentJob, agentResult } from "../contracts/agent.ts";
import { adapterConfig, modelConfig } from "../contracts/artifact.ts";
import { cloudEvent } from "../contracts/cloudevents.ts";
import { askJob, askResult, environmentJob, environmentResult } from "../contracts/environment.ts";
import { evaluatorJob, evaluatorResult } from "../contracts/evaluator.ts";
import { loaderConfig, loaderState, loadRequest } from "../contracts/loader.ts";
import { failure } from "../contracts/pod.ts";
import { execution, logRecord } from "../contracts/session-log.ts";
import { stageJob } from "../contracts/stage.ts";
import { taskSet } from "../contracts/task-set.ts";
import { progress, trainerJob, trainerResult } from "../contracts/trainer.ts";
import { trajectory } from "../contracts/trajectory.ts";

/** Documents that programs exchange, by the name of their JSON Schema. */
export const contracts: Readonly<Record<string, z.ZodType>> = {
  "agent-job": agentJob,
  "evaluator-job": evaluatorJob,
  "trainer-job": trainerJob,
  "environment-job": environmentJob,
  "ask-job": askJob,
  "stage-job": stageJob,
  "loader-config": loaderConfig,
  "load-request": loadRequest,
  "loader-state": loaderState,
  "adapter-config": adapterConfig,
  "model-config": modelConfig,
  "task-set": taskSet,
  trajectory,
  "log-record": logRecord,
  execution,
  progress,
  "agent-result": agentResult,
  "evaluator-result": evaluatorResult,
  "trainer-result": trainerResult,
  "environment-result": environmentResult,
  "ask-result": askResult,
  failure,
  "cloud-event": cloudEvent,
};

/**
 * The JSON Schema (2020-12) of a document as it is written: defaults are filled in, so a reader may rely on them.
 * Unknown properties are valid, so that a reader keeps working with a newer writer.
 */
export function contractSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    target: "draft-2020-12",
    io: "output",
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  }) as Record<string, unknown>;
}
