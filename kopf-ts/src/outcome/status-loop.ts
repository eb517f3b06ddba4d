import { mergeDiff } from "../api/modify.ts";
import { type KubeObject, keyOf } from "../api/object.ts";
import { sentStatus } from "../api/schema.ts";
import type { Clock } from "../core/clock.ts";

/** So many passes within so long, each over what the one before wrote: no status that comes to rest takes as many. */
const passesOfALoop = 20;
const windowMilliseconds = 10_000;
const pauseMilliseconds = 1_000;

interface Trail {
  /** Of what our last pass left behind. */
  resourceVersion: string | undefined;
  /** Milliseconds, monotonic. */
  since: number;
  last: number;
  passes: number;
  isLoop: boolean;
}

/** Notices a status that never comes to rest, such as one with the time of the pass in it: every write of it brings the next pass, which writes it again. */
export class StatusLoops {
  readonly #clock: Clock;
  readonly #trails = new Map<string, Trail>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A pass over `object` has left `written` behind. Answers the fields of status that differ when that has become a loop, once. */
  passed(object: KubeObject, written: KubeObject): readonly string[] | undefined {
    const key = keyOf(object.metadata);
    const { resourceVersion } = written.metadata;
    if (resourceVersion === object.metadata.resourceVersion) {
      this.#trails.delete(key);
      return undefined;
    }
    const now = this.#clock.monotonic();
    const trail = this.#trails.get(key);
    const goesOn =
      trail?.resourceVersion === object.metadata.resourceVersion && (trail?.isLoop || now - (trail?.since ?? 0) < windowMilliseconds);
    if (!trail || !goesOn) {
      this.#trails.set(key, { resourceVersion, since: now, last: now, passes: 1, isLoop: false });
      return undefined;
    }
    Object.assign(trail, { resourceVersion, last: now, passes: trail.passes + 1 });
    if (trail.isLoop || trail.passes < passesOfALoop) return undefined;
    const fields = Object.keys(mergeDiff(sentStatus(object) ?? {}, written.status ?? {}) ?? {});
    trail.isLoop = fields.length > 0;
    return trail.isLoop ? fields : undefined;
  }

  /** Milliseconds that the next pass over this object has to wait: some, where nobody but a loop asks for it. */
  pause({ metadata }: KubeObject): number {
    const trail = this.#trails.get(keyOf(metadata));
    if (!trail?.isLoop || trail.resourceVersion !== metadata.resourceVersion) return 0;
    return Math.max(0, trail.last + pauseMilliseconds - this.#clock.monotonic());
  }

  forget(key: string): void {
    this.#trails.delete(key);
  }
}
