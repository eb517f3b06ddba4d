import { sleep } from "../core/clock.ts";
import { Recorder, type RecorderOptions } from "./recorder.ts";

/** For unsent events when the program stops. */
const flushMilliseconds = 5_000;

interface RecordersOptions extends Required<Pick<RecorderOptions, "client" | "logger" | "clock">> {
  /** `reportingController` is `<prefix>/<controller>`. */
  readonly prefix: string;
  /** Of this process. */
  readonly identity: string;
}

/** One Recorder for each controller of a program. */
export class Recorders {
  readonly #options: RecordersOptions;
  readonly #recorders = new Map<string, Recorder>();

  constructor(options: RecordersOptions) {
    this.#options = options;
  }

  /** The recorder that signs as this controller. */
  of(controller: string): Recorder {
    const known = this.#recorders.get(controller);
    if (known) return known;
    const { prefix, identity, ...options } = this.#options;
    // The API takes at most 128 characters.
    const recorder = new Recorder({ ...options, controller: `${prefix}/${controller}`, instance: identity.slice(0, 128) });
    this.#recorders.set(controller, recorder);
    return recorder;
  }

  /** Unsent events get a bounded time: a server that doesn't respond doesn't keep the program from stopping. */
  async flush(): Promise<void> {
    const over = new AbortController();
    const flushed = Promise.all([...this.#recorders.values()].map((recorder) => recorder.flush())).then(() => over.abort());
    await Promise.race([flushed, sleep(this.#options.clock, flushMilliseconds, over.signal)]);
  }
}
