import { type Outcome, progressing, timestamp, unchanged } from "kopf-ts";
import { truncateMessage } from "../shared/truncate-message.ts";
import { type Attempt, lingeringJob } from "./attempts.ts";
import { RunReason } from "./reasons.ts";
import type { Result } from "./result.ts";
import { sufficient } from "./sufficiency.ts";
import type { World } from "./world.ts";

/** Records how the newest attempt ended, with what is known from then on. Another pass follows at once. */
export function endAttempt({ run, job, pods }: World, how: Partial<Attempt>, now: Date, status: object): Outcome {
  const attempts = run.status?.attempts ?? [];
  const last = attempts.at(-1);
  if (!last) return unchanged();
  const ended: Attempt = { ...last, ...how, ...(how.message && { message: truncateMessage(how.message) }), endTime: timestamp(now) };
  const words = endingOf(ended);
  return progressing(RunReason.AttemptEnded, words, { ...status, attempts: [...attempts.slice(0, -1), ended] })
    .event(ended.result === "Succeeded" ? "Normal" : "Warning", RunReason.AttemptEnded, words)
    .deleting(...lingeringJob(job, pods))
    .atOnce();
}

/** Records a success with its result. The trainer has read the corpus: the condition on it says how varied it is. */
export function endSucceeded(
  world: World,
  how: Partial<Attempt>,
  now: Date,
  status: { result: Result; mlflowRunID?: string | undefined },
): Outcome {
  const outcome = endAttempt(world, { ...how, result: "Succeeded" }, now, status);
  const { corpus } = world.run.status ?? {};
  const { metrics } = status.result;
  return corpus && metrics?.distinctTasks !== undefined ? outcome.condition(sufficient(corpus, metrics)) : outcome;
}

/** Text for how an attempt ended. */
export const endingOf = ({ number, result, message, reason }: Attempt) =>
  `attempt ${number} ${result === "Succeeded" ? "succeeded" : `ended ${result}: ${message ?? reason ?? ""}`}`;
