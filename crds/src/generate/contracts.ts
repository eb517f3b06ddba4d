import { z } from "zod";
import * as artifact from "../artifact.ts";
import * as job from "../job-spec.ts";
import * as loader from "../loader-api.ts";

/** Documents that programs hand to each other, by the name of their JSON Schema. */
export const contracts: Readonly<Record<string, z.ZodType>> = {
  "agent-job": job.agentJob,
  "evaluator-job": job.evaluatorJob,
  "trainer-job": job.trainerJob,
  "environment-job": job.environmentJob,
  "ask-job": job.askJob,
  "stage-job": job.stageJob,
  "loader-config": loader.loaderConfig,
  "load-request": loader.loadRequest,
  "loader-state": loader.loaderState,
  "adapter-config": artifact.adapterConfig,
  "model-config": artifact.modelConfig,
  "task-set": artifact.taskSet,
  trajectory: artifact.trajectory,
  "log-record": artifact.logRecord,
  execution: artifact.execution,
  progress: artifact.progress,
  "agent-result": artifact.agentResult,
  "evaluator-result": artifact.evaluatorResult,
  "trainer-result": artifact.trainerResult,
  "environment-result": artifact.environmentResult,
  "ask-result": artifact.askResult,
  failure: artifact.failure,
};

/**
 * The JSON Schema (2020-12) of a document as its writer writes it: defaults are filled in, so a reader may rely on them.
 * Unknown properties stay legal, so that a reader goes on working beside a newer writer.
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
