import type { Context } from "kopf-ts";
import { expect, it } from "vitest";
import { AdmissionQueue } from "../agent-session/admission.ts";
import { observe as observeSession } from "../agent-session/observe.ts";
import { observe as observeCheck } from "../environment-check/observe.ts";
import { observe as observeEvaluation } from "../evaluation/observe.ts";
import { observe as observeGeneration } from "../evolution-generation/observe.ts";
import { aCheck, aCondition, anEvaluation, aRun, aSession, now } from "../testing/builders.ts";
import { aGeneration } from "../testing/evolution-world.ts";
import { config, digestOf } from "../testing/objects.ts";
import { observe as observeRun } from "../training-run/observe.ts";
import type { Services } from "./services.ts";
import { failureOf } from "./time-to-live.ts";

const asked: string[] = [];
const own = { config, progress: () => undefined, runnerToken: () => "" };
const services = new Proxy(own as unknown as Services, {
  get: (target, name: keyof typeof own) => {
    if (name in target) return target[name];
    asked.push(name);
    throw new Error(`${name} is unavailable`);
  },
});
const cache = () => ({ get: () => undefined, list: () => [], byIndex: () => [] });
const context = { cache, clock: { now: () => now } } as unknown as Context;

const conditions = [aCondition("Succeeded")];
const startTime = "2026-11-01T00:00:00Z";
const result = { repository: "rune/team/adapters", digest: digestOf("a"), sizeBytes: 1 };
const running = [{ number: 1, job: "tessera-a1", result: "Running", startTime }];

it.each([
  ["a TrainingRun that published", () => observeRun(aRun({ status: { conditions, result } }), context, services)],
  ["a TrainingRun that failed", () => observeRun(aRun({ status: { conditions, attempts: running } }), context, services)],
  [
    "an AgentSession",
    () => observeSession(aSession({ status: { conditions, epoch: 1, startTime } }), context, services, new AdmissionQueue()),
  ],
  ["an Evaluation", () => observeEvaluation(anEvaluation({ status: { conditions, epoch: 1, startTime } }), context, services)],
  [
    "an EnvironmentCheck",
    () => observeCheck(aCheck({ status: { conditions, startTime, nodes: [{ name: "n", device: "CPU", gpus: 0 }] } }), context, services),
  ],
  ["an EvolutionGeneration", () => observeGeneration(aGeneration({ status: { conditions, startTime, members: [] } }), context, services)],
])("%s that has ended asks neither registry nor NATS, so that their absence can't hold up an operator that starts", async (_, observe) => {
  asked.length = 0;
  await observe();
  expect(asked).toEqual([]);
});

it("what failed, or waits for a person, can't be waited for; what the API server refuses to write for now can", () => {
  const stalledBy = (reason: string) => ({ status: { conditions: [{ ...aCondition("Stalled"), reason }] } });
  expect(failureOf({ status: { conditions: [aCondition("Failed")] } })?.type).toBe("Failed");
  expect(failureOf(stalledBy("BaseMismatch"))?.reason).toBe("BaseMismatch");
  expect(failureOf(stalledBy("WriteFailed"))).toBeUndefined();
});
