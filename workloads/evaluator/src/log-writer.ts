import type { LogRecordBody } from "@rune/crds/contracts/session-log";
import { recordOf } from "@rune/workloads-shared/log";
import type { World } from "./world.ts";

/** Writes the records of concurrent tasks one after the other; each is numbered when it is written. */
export class LogWriter {
  readonly #world: World;
  #last: Promise<unknown> = Promise.resolve();

  constructor(world: World) {
    this.#world = world;
  }

  /** Returns the record's number. A result carries that of its intent. */
  async write(body: LogRecordBody, n?: number): Promise<number> {
    const turn = this.#last.then(() => this.#append(body, n));
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async #append(body: LogRecordBody, n: number | undefined): Promise<number> {
    const { job, ledger, now, append } = this.#world;
    const record = recordOf(body, { n: n ?? ledger.next, epoch: job.epoch, now: now() });
    await append(record);
    ledger.apply(record);
    return record.n;
  }
}
