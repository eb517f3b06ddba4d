import type { Clock } from "@rune/clients/clock";
import type { AdapterFiles, Staged } from "./adapter-files.ts";
import { askCanary, type CanaryResult } from "./canary.ts";
import { type Engine, EngineRefused, EngineUnavailable } from "./engine.ts";
import type { Entries } from "./entries.ts";
import type { Entry } from "./entry.ts";
import type { InFlight } from "./in-flight.ts";
import type { Metrics } from "./metrics.ts";
import { Mutex } from "./mutex.ts";
import { Refused } from "./refused.ts";

export interface LoadingOptions {
  readonly engine: Engine;
  readonly staging: AdapterFiles;
  readonly entries: Entries;
  readonly metrics: Metrics;
  readonly base: { readonly name: string };
  readonly bootID: () => string;
  readonly inFlight: InFlight;
  readonly clock: Clock;
  readonly log: (message: string, fields?: Record<string, unknown>) => void;
}

/** Starts of the engine that may be spent on an adapter: one can end for another reason, and each is an outage for everybody. */
const mostStarts = 2;

/** How an adapter gets into the engine: verified files, load, canary, and only then routable. */
export class Loading {
  readonly #options: LoadingOptions;
  /** Adapters that were loaded again after a start of the engine and whose canary hasn't been asked since. */
  readonly #unproven = new Set<string>();
  /** How many starts of the engine refused an adapter first: after it, a refusal may be only the echo of that one. */
  readonly #refusedFirst = new Map<string, number>();
  #lastRefusing = "";
  /** Per adapter that hasn't been loaded here yet: how many starts of the engine ended without answering its load, and which start was asked last. */
  readonly #unanswered = new Map<string, { ended: number; bootID: string }>();
  /** Adapters that weren't blamed once for a spoilt engine, because others answered too. */
  readonly #pardoned = new Set<string>();
  /** Calls that change the engine run one at a time. */
  readonly changes = new Mutex();

  constructor(options: LoadingOptions) {
    this.#options = options;
  }

  /** Load, canary, and only then routable. */
  async bringUp(staged: Staged): Promise<Entry> {
    return await this.changes.run(async () => {
      await this.#load(staged);
      const proven = await this.#prove(staged);
      return this.#options.entries.update({ name: staged.name, digest: staged.digest, state: "Loaded", staged, proven });
    });
  }

  async #load(staged: Staged): Promise<void> {
    const { engine, staging, log } = this.#options;
    if (!this.#options.entries.get(staged.name)) throw new Refused("EngineUnavailable", `${staged.name} was unloaded in the meantime`);
    const served = (await engine.models()).find((model) => model.id === staged.name);
    if (served?.root === staged.directory) return;
    if (served) throw new EngineRefused(`the engine has other files under the name ${staged.name}: ${served.root}`, 409);
    await staging.verify(staged);
    await this.#ask(staged);
    log("adapter loaded", { adapter: staged.name });
  }

  /** A load that ends the engine has no answer, and would be asked of every start. */
  async #ask({ name, directory }: Staged): Promise<void> {
    const bootID = this.#options.bootID();
    const last = this.#unanswered.get(name);
    const ended = last ? last.ended + (last.bootID === bootID ? 0 : 1) : 0;
    if (ended >= mostStarts)
      throw new Refused(
        "RefusedByEngines",
        `${mostStarts} starts of the engine ended while it was being loaded, so no further one is asked`,
      );
    try {
      await this.#options.engine.load(name, directory);
      this.#unanswered.delete(name);
    } catch (error) {
      const isUnanswered = error instanceof EngineUnavailable && !error.gone && bootID !== "";
      if (isUnanswered && !this.#options.entries.get(name)?.proven) this.#unanswered.set(name, { ended, bootID });
      throw error;
    }
  }

  async #prove(staged: Staged): Promise<CanaryResult> {
    const { engine, base, metrics, log } = this.#options;
    const asked = this.#options.clock.now();
    const proven = await askCanary(engine, base.name, staged.name, staged.config.canary);
    if (proven.silenced && this.#othersAnswered(staged.name, asked) && !this.#pardoned.has(staged.name)) {
      this.#pardoned.add(staged.name);
      throw new EngineUnavailable("the engine was spoilt while several adapters answered; it must be restarted, and nobody is blamed yet");
    }
    metrics.canary(proven.canary);
    log("canary asked", { adapter: staged.name, canary: proven.canary, message: proven.message });
    if (proven.canary !== "Mismatched") {
      this.#pardoned.delete(staged.name);
      this.#refusedFirst.delete(staged.name);
      return proven;
    }
    await engine.unload(staged.name);
    throw new Mismatched(proven);
  }

  /** Whether another adapter had a request since then, which may have spoilt the engine too. */
  #othersAnswered(name: string, since: number): boolean {
    const { entries, inFlight } = this.#options;
    return entries
      .values()
      .some((other) => other.name !== name && (inFlight.count(other.name) > 0 || (inFlight.lastUse(other.name) ?? 0) >= since));
  }

  /**
   * After a start of the engine: an adapter proven here before is routable as soon as it is loaded, and proven again
   * afterwards.
   */
  async loadAgain(staged: Staged, proven: CanaryResult | undefined): Promise<void> {
    const started = this.#options.clock.now();
    this.#options.entries.update({ name: staged.name, digest: staged.digest, state: "Staging", staged, ...(proven ? { proven } : {}) });
    try {
      if (!proven) await this.bringUp(staged);
      else {
        await this.changes.run(() => this.#load(staged));
        this.#options.entries.update({ name: staged.name, digest: staged.digest, state: "Loaded", staged, proven });
        this.#unproven.add(staged.name);
      }
      this.#options.metrics.loaded((this.#options.clock.now() - started) / 1000, "reload");
    } catch (error) {
      await this.failed(staged.name, staged.digest, proven ? await this.#blamed(error) : error, staged, proven);
    }
  }

  async proveAgain(): Promise<void> {
    for (const name of this.#unproven) {
      const entry = this.#options.entries.get(name);
      this.#unproven.delete(name);
      if (entry?.state !== "Loaded") continue;
      try {
        const proven = await this.changes.run(() => this.#prove(entry.staged));
        if (this.#options.entries.get(name) === entry) this.#options.entries.set({ ...entry, proven });
      } catch (error) {
        await this.failed(name, entry.digest, await this.#blamed(error), entry.staged, entry.proven);
      }
    }
  }

  /**
   * An engine that is exiting returns 500 to every request: no refusal of an adapter that worked here before, also if
   * another engine is there by now.
   */
  async #blamed(error: unknown): Promise<unknown> {
    if (!(error instanceof EngineRefused) || error.status !== 500) return error;
    const { engine, bootID } = this.#options;
    const vitals = (await engine.alive()) ? await engine.vitals().catch(() => undefined) : undefined;
    if (vitals && (vitals.startTime ?? bootID()) === bootID()) return error;
    return new EngineUnavailable(error.message, { cause: error });
  }

  /**
   * When only the engine is unavailable, files and entry stay, and the next tick retries; everything else is a refusal.
   */
  async failed(name: string, digest: string, error: unknown, staged?: Staged, proven?: CanaryResult): Promise<Entry> {
    const { metrics, staging, entries, clock, log } = this.#options;
    const bootID = this.#options.bootID();
    const refusal = refusalOf(error);
    if (!refusal) {
      entries.delete(name);
      throw error;
    }
    const { reason, message } = refusal.reason === "EngineRefused" ? this.#refusedBy(bootID, name, refusal.message) : refusal;
    log("adapter not loaded", { adapter: name, reason, message });
    if (reason === "EngineUnavailable" && staged)
      return entries.update({ name, digest, state: "Staging", staged, message, ...(proven ? { proven } : {}) });
    metrics.refused(reason);
    await staging.remove(name);
    const answers = error instanceof Mismatched ? { proven: error.proven } : {};
    return entries.update({ name, digest, state: "Refused", reason, message, bootID, at: clock.now(), ...answers });
  }

  /** With several ranks a refusal can end the engine. */
  #refusedBy(bootID: string, name: string, message: string): { reason: Refused["reason"]; message: string } {
    const isFirst = bootID !== "" && bootID !== this.#lastRefusing;
    const starts = (this.#refusedFirst.get(name) ?? 0) + (isFirst ? 1 : 0);
    this.#refusedFirst.set(name, starts);
    this.#lastRefusing = bootID;
    return starts < mostStarts
      ? { reason: "EngineRefused", message }
      : { reason: "RefusedByEngines", message: `${mostStarts} starts of the engine refused it, so no further one is asked: ${message}` };
  }
}

class Mismatched extends Error {
  readonly proven: CanaryResult;
  constructor(proven: CanaryResult) {
    super(proven.message);
    this.proven = proven;
  }
}

function refusalOf(error: unknown): { reason: Refused["reason"]; message: string } | undefined {
  if (error instanceof Refused) return { reason: error.reason, message: error.message };
  if (error instanceof Mismatched) return { reason: "CanaryMismatch", message: error.message };
  if (error instanceof EngineRefused) return { reason: "EngineRefused", message: error.message };
  if (error instanceof EngineUnavailable) return { reason: "EngineUnavailable", message: error.message };
  return undefined;
}
