import { type Engine, EngineUnavailable, type ServedModel } from "./engine.ts";
import type { EngineHealth } from "./engine-health.ts";
import type { Metrics } from "./metrics.ts";

export interface EngineWatchOptions {
  readonly engine: Engine;
  readonly health: EngineHealth;
  readonly metrics: Metrics;
  /** Another start of the engine was noticed. */
  readonly onBoot: () => void;
  /** The engine is gone, and what was loaded with it. */
  readonly onLost: () => void;
  readonly log: (message: string, fields?: Record<string, unknown>) => void;
}

const toleratedSilence = 3;
const vitalsEvery = 10;

/** Which start of the engine this is, and whether it is still there. */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  #bootID = "";
  #unnamedBoots = 0;
  #silences = 0;
  #ticks = 0;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  /** Identity of the engine's present start; empty while it is gone. */
  get bootID(): string {
    return this.#bootID;
  }

  /**
   * The engine's models, or undefined when it is unavailable; one slow answer of a busy engine doesn't count as that.
   */
  async models(): Promise<ServedModel[] | undefined> {
    const { engine, health } = this.#options;
    try {
      const models = await engine.models();
      this.#silences = 0;
      return models;
    } catch (error) {
      this.#silences++;
      const gone = error instanceof EngineUnavailable && error.gone;
      if (!gone && this.#silences < toleratedSilence) return undefined;
      if (this.#bootID !== "") health.restarted();
      this.#bootID = "";
      this.#options.onLost();
      return undefined;
    }
  }

  /** Identifies this start of the engine. `missing`: something that was loaded isn't there. Read when there is a sign that it changed, and now and then without one. */
  async identify(missing: boolean): Promise<void> {
    const { engine, health, metrics, log } = this.#options;
    if (this.#bootID !== "" && !missing && this.#ticks++ % vitalsEvery !== 0) return;
    const vitals = await engine.vitals().catch(() => undefined);
    if (!vitals) return;
    if (!vitals.startTime && (this.#bootID === "" || missing)) this.#unnamedBoots++;
    const bootID = vitals.startTime ?? `unnamed-${this.#unnamedBoots}`;
    if (bootID !== this.#bootID) {
      if (this.#bootID !== "") health.restarted();
      this.#bootID = bootID;
      this.#options.onBoot?.();
      metrics.restarted();
      log("engine started", { bootID });
    }
    health.corrupted(vitals.corruptedRequests);
  }
}
