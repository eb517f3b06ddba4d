import type { Execution, LogRecord } from "@rune/crds/contracts/session-log";
import type { Intent } from "@rune/workloads-shared/log";
import { z } from "zod";

export type Sample = { program: string; execution: Execution };
/** Cost of a request, and the number of its answers that are incomplete. Logs of earlier versions have neither seconds nor that. */
export type Usage = { promptTokens: number; completionTokens: number; seconds?: number | undefined; cutOff?: number | undefined };
/**
 * Programs that were sampled for a task, under the number of their step. `told`: trajectories in the prompt before the
 * task.
 */
export type Sampled = { n: number; programs: readonly string[]; usage: Usage; told: number };

/** What an intent of an evaluation is for. */
const subject = z.object({ arm: z.string(), taskId: z.string(), told: z.number().default(0) });

/** State of an evaluation, folded from its log: what was announced, sampled and judged, by arm and task. */
export class Progress {
  next = 0;
  epoch = 0;
  provenEpoch = 0;
  readonly #open = new Map<string, Intent>();
  readonly #sampled = new Map<string, Sampled>();
  readonly #judged = new Map<string, readonly Sample[]>();
  readonly #losses = new Map<string, number>();

  constructor(records: readonly LogRecord[] = []) {
    for (const record of records) this.apply(record);
  }

  apply(record: LogRecord): void {
    this.next = Math.max(this.next, record.n + 1);
    this.epoch = Math.max(this.epoch, record.epoch);
    if (record.type === "isolation" && record.isolation.verified) this.provenEpoch = Math.max(this.provenEpoch, record.epoch);
    if (record.type === "intent") this.#open.set(keyOf(subject.parse(record.input)), record);
    if (record.type === "generated") {
      const { n, programs, promptTokens, completionTokens, seconds, cutOff } = record;
      const usage = { promptTokens, completionTokens, seconds, cutOff };
      this.#settle(n, (key, { input }) => this.#sampled.set(key, { n, programs, usage, told: subject.parse(input).told }));
    }
    if (record.type === "lost") this.#settle(record.n, (_, intent) => this.#lose(intent));
    if (record.type === "judged") this.#judge(keyOf(record), record.samples);
  }

  /**
   * The last intent of a task without a result. The programs of a task run one after the other, so it is the one that
   * ran.
   */
  open(arm: string, taskId: string): Intent | undefined {
    return this.#open.get(keyOf({ arm, taskId }));
  }

  sampled(arm: string, taskId: string): Sampled | undefined {
    return this.#sampled.get(keyOf({ arm, taskId }));
  }

  judged(arm: string, taskId: string): readonly Sample[] | undefined {
    return this.#judged.get(keyOf({ arm, taskId }));
  }

  /** How often an execution announced with this digest was lost. */
  losses(arm: string, taskId: string, inputDigest: string): number {
    return this.#losses.get(`${keyOf({ arm, taskId })}/${inputDigest}`) ?? 0;
  }

  #settle(n: number, then: (key: string, intent: Intent) => void): void {
    const [key, intent] = [...this.#open].find(([, open]) => open.n === n) ?? [];
    if (key === undefined || !intent) return;
    this.#open.delete(key);
    then(key, intent);
  }

  #lose({ input, inputDigest }: Intent): void {
    const { arm, taskId } = subject.parse(input);
    this.#losses.set(`${keyOf({ arm, taskId })}/${inputDigest}`, this.losses(arm, taskId, inputDigest) + 1);
  }

  #judge(key: string, samples: readonly Sample[]): void {
    this.#open.delete(key);
    this.#judged.set(key, samples);
  }
}

function keyOf({ arm, taskId }: { arm: string; taskId: string }): string {
  return `${arm}/${taskId}`;
}
