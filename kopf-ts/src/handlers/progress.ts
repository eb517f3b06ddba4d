import type { Context } from "../outcome/reconciler.ts";
import type { Attempted } from "./attempt.ts";
import type { Progress } from "./persistence.ts";

/** The stored record of an attempt. */
export function recordOf(attempted: Attempted, record: Pick<Progress, "started" | "retries" | "of">, { clock }: Context): Progress {
  if (attempted.ended === "success") return { ...record, ended: "success" };
  if (attempted.ended === "failure") return { ...record, ended: "failure", message: attempted.error.message };
  const delayed = new Date(clock.now().getTime() + attempted.again * 1000).toISOString();
  return { ...record, delayed, message: attempted.error.message };
}

/** Seconds until the first of the remaining attempts. */
export function nextAttempt(records: ReadonlyMap<string, Progress>, { clock }: Context): number | undefined {
  const waits = [...records.values()]
    .filter(({ ended }) => !ended)
    .map(({ delayed }) => Math.max(0, (Date.parse(delayed ?? "") - clock.now().getTime()) / 1000));
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
