import type { Execution, LogRecord } from "@rune/crds/contracts/session-log";
import type { Isolation } from "@rune/crds/fields/isolation";
import { Fenced } from "../nats/log.ts";

/** The process died. */
export class Killed extends Error {}

/** Kills a process at its `fatal`-th boundary: before an effect, or after it, so that only the result is lost. */
export class FakePower {
  boundaries = 0;
  readonly fatal: number;
  constructor(fatal = Number.POSITIVE_INFINITY) {
    this.fatal = fatal;
  }
  boundary(): void {
    this.boundaries += 1;
    if (this.boundaries >= this.fatal) throw new Killed(`killed at boundary ${this.fatal}`);
  }

  /** An effect between its two boundaries. */
  across<Result>(effect: () => Result): Result {
    this.boundary();
    const result = effect();
    this.boundary();
    return result;
  }
}

/** A log that outlives every process; each writer has the length of the log at its last read. */
export class FakeLog {
  readonly records: LogRecord[] = [];

  writer(): (record: LogRecord) => void {
    let known = this.records.length;
    return (record) => {
      if (this.records.length !== known) throw new Fenced("another worker wrote");
      this.records.push(structuredClone(record));
      known += 1;
    };
  }
}

/** A sandbox that stores its results by id and decides by a program's text whether it passed. */
export class FakeRunner {
  readonly results = new Map<string, Execution>();
  readonly executed: string[] = [];

  execute(id: string, program: string): Execution {
    const stored = this.results.get(id);
    if (stored) return stored;
    this.executed.push(program);
    const passed = program.includes("right");
    const error = passed ? "" : `AttributeError: tessera has no 'x${this.executed.length}'; use tessera.veil(x) for it`;
    const execution: Execution = { passed, outcome: passed ? "Passed" : "Error", error, durationSeconds: 0.5 };
    this.results.set(id, execution);
    return execution;
  }
}

export const verified: Isolation = {
  verified: true,
  probes: [
    { name: "canary over the network", layer: 1, expected: "Blocked", observed: "Blocked" },
    { name: "canary by socket", layer: 2, expected: "Blocked", observed: "Blocked" },
  ],
};
