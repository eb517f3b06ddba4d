import { type Clock, systemClock } from "@rune/clients/clock";
import { type LoaderState, type LoadRequest, permanentRefusals } from "@rune/crds/contracts/loader";
import type { AdapterFiles, Staged } from "./adapter-files.ts";
import { askCanary, type CanaryResult } from "./canary.ts";
import type { Demand } from "./demand.ts";
import { type Engine, EngineRefused, EngineUnavailable, type ServedModel } from "./engine.ts";
import { type Entry, held, verdictOf } from "./entry.ts";
import type { InFlight } from "./in-flight.ts";
import type { Liveness } from "./liveness.ts";
import type { Metrics } from "./metrics.ts";
import { Refused } from "./refused.ts";
import { Serial } from "./serial.ts";
import { slotFor } from "./slots.ts";

export type ResidencyOptions = {
  engine: Engine;
  staging: AdapterFiles;
  liveness: Liveness;
  inFlight: InFlight;
  demand: Demand;
  metrics: Metrics;
  base: { name: string; digest: string | undefined };
  slots: number;
  maxRank: number;
  /** another start of the engine was noticed */
  onBoot?: () => void;
  clock?: Clock;
  log: (message: string, fields?: Record<string, unknown>) => void;
};

const drainTime = 30_000;
const toleratedSilence = 3;
const vitalsEvery = 10;

/**
 * Which adapters this pod holds. Requested adapters are loaded again after every start of the engine; others are
 * unloaded. Calls that change the engine run one at a time, and only with files that passed every check.
 */
export class Residency {
  readonly #options: ResidencyOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #flights = new Map<string, Promise<Entry>>();
  readonly #removals = new Map<string, Promise<void>>();
  readonly #engineChanges = new Serial();
  readonly #unproven = new Set<string>();
  #bootID = "";
  #unnamedBoots = 0;
  #silences = 0;
  #ticks = 0;

  constructor(options: ResidencyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** What an earlier run of this program held is wanted again. */
  async restore(): Promise<void> {
    for (const staged of await this.#options.staging.restore())
      this.#set({ name: staged.name, digest: staged.digest, state: "Staging", staged });
  }

  state(): LoaderState {
    const { liveness, base, slots, maxRank, demand } = this.#options;
    const engine = { ready: liveness.ready, bootID: this.#bootID, slots, maxRank, ...(base.digest ? { baseDigest: base.digest } : {}) };
    return {
      engine,
      adapters: [...this.#entries.values()].map((entry) => ({ ...held(entry), ...this.#use(entry) })),
      wanted: demand.wanted,
    };
  }

  #use({ name, state }: Entry): Pick<LoaderState["adapters"][number], "open" | "lastUsed"> {
    if (state === "Refused") return {};
    const lastUse = this.#options.inFlight.lastUse(name);
    return { open: this.#options.inFlight.count(name), ...(lastUse ? { lastUsed: new Date(lastUse).toISOString() } : {}) };
  }

  find(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  /** Whether nothing is missing that was there before; a first load doesn't make the pod unready. */
  get settled(): boolean {
    return [...this.#entries.values()].every((entry) => entry.state !== "Staging" || this.#flights.has(entry.name));
  }

  /** Loads an adapter, once for simultaneous calls. Returns its state; never throws for a refusal. */
  async put(name: string, request: LoadRequest): Promise<Entry> {
    await this.#removals.get(name);
    const known = this.#entries.get(name);
    if (!name.endsWith(`-${request.digest.slice(7, 23)}`) || (known && known.digest !== request.digest)) {
      const message = `${name} must end in the first 16 hex digits of ${request.digest}: a name stands for its bytes`;
      return { name, digest: request.digest, state: "Refused", reason: "DigestMismatch", message, bootID: this.#bootID };
    }
    if (known && this.#isFinal(known)) return known;
    const running = this.#flights.get(name);
    if (running) return await running;
    const flight = this.#bring(name, request, known).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return await flight;
  }

  /** Stops routing to it, waits for its requests, unloads it and deletes its files. */
  async remove(name: string): Promise<void> {
    const removal = this.#removals.get(name) ?? this.#remove(name).finally(() => this.#removals.delete(name));
    this.#removals.set(name, removal);
    await removal;
  }

  /** Compares what the engine has with what it should have. Called every second. */
  async tick(): Promise<void> {
    // Only entries from before the request to the engine can be compared with its answer.
    const before = [...this.#entries.values()];
    const models = await this.#look();
    if (!models) return;
    const unchanged = before.filter((entry) => this.#entries.get(entry.name) === entry && !this.#flights.has(entry.name));
    const isThere = (entry: Entry) => models.some(({ id, root }) => id === entry.name && root === entry.staged?.directory);
    const lost = unchanged.filter((entry) => entry.state === "Loaded" && !isThere(entry));
    await this.#nameBoot(lost.length > 0);
    await this.#unloadStrays(models);
    for (const entry of unchanged) {
      const wanted = lost.includes(entry) || entry.state === "Staging";
      if (wanted && entry.staged && this.#entries.get(entry.name) === entry && !this.#flights.has(entry.name))
        await this.#again(entry.staged, entry.proven);
    }
    await this.#proveAgain();
  }

  /**
   * A refusal that a retry can't change: the same bytes, or an engine that refused and may not survive another attempt.
   */
  #isFinal(entry: Entry): boolean {
    if (entry.state !== "Refused") return entry.state === "Loaded";
    return permanentRefusals.includes(entry.reason) || (entry.reason === "EngineRefused" && entry.bootID === this.#bootID);
  }

  async #bring(name: string, request: LoadRequest, known: Entry | undefined): Promise<Entry> {
    const started = this.#clock.now();
    let staged = known?.state === "Staging" ? known.staged : undefined;
    try {
      slotFor(name, this.#entries.values(), this.#options.slots);
      this.#set({ name, digest: request.digest, state: "Staging", ...(staged ? { staged } : {}) });
      staged ??= await this.#options.staging.stage(name, request);
      const entry = await this.#bringUp(staged);
      this.#options.metrics.loaded((this.#clock.now() - started) / 1000, "load");
      return entry;
    } catch (error) {
      return await this.#failed(name, request.digest, error, staged);
    }
  }

  /** Load, canary, and only then routable. */
  async #bringUp(staged: Staged): Promise<Entry> {
    return await this.#engineChanges.run(async () => {
      await this.#load(staged);
      const proven = await this.#prove(staged);
      return this.#update({ name: staged.name, digest: staged.digest, state: "Loaded", staged, proven });
    });
  }

  async #load(staged: Staged): Promise<void> {
    const { engine, staging, log } = this.#options;
    if (!this.#entries.has(staged.name)) throw new Refused("EngineUnavailable", `${staged.name} was unloaded in the meantime`);
    const served = (await engine.models()).find((model) => model.id === staged.name);
    if (served?.root === staged.directory) return;
    if (served) throw new EngineRefused(`the engine has other files under the name ${staged.name}: ${served.root}`, 409);
    await staging.verify(staged);
    await engine.load(staged.name, staged.directory);
    log("adapter loaded", { adapter: staged.name });
  }

  async #prove(staged: Staged): Promise<CanaryResult> {
    const { engine, base, metrics, log } = this.#options;
    const proven = await askCanary(engine, base.name, staged.name, staged.config.canary);
    metrics.canary(proven.canary);
    log("canary asked", { adapter: staged.name, canary: proven.canary, message: proven.message });
    if (proven.canary !== "Mismatched") return proven;
    await engine.unload(staged.name);
    throw new Mismatched(proven);
  }

  /**
   * After a start of the engine: an adapter proven here before is routable as soon as it is loaded, and proven again
   * afterwards.
   */
  async #again(staged: Staged, proven: CanaryResult | undefined): Promise<void> {
    const started = this.#clock.now();
    this.#update({ name: staged.name, digest: staged.digest, state: "Staging", staged, ...(proven ? { proven } : {}) });
    try {
      if (!proven) await this.#bringUp(staged);
      else {
        await this.#engineChanges.run(() => this.#load(staged));
        this.#update({ name: staged.name, digest: staged.digest, state: "Loaded", staged, proven });
        this.#unproven.add(staged.name);
      }
      this.#options.metrics.loaded((this.#clock.now() - started) / 1000, "reload");
    } catch (error) {
      await this.#failed(staged.name, staged.digest, proven ? await this.#blamed(error) : error, staged, proven);
    }
  }

  async #proveAgain(): Promise<void> {
    for (const name of this.#unproven) {
      const entry = this.#entries.get(name);
      this.#unproven.delete(name);
      if (entry?.state !== "Loaded") continue;
      try {
        const proven = await this.#engineChanges.run(() => this.#prove(entry.staged));
        if (this.#entries.get(name) === entry) this.#set({ ...entry, proven });
      } catch (error) {
        await this.#failed(name, entry.digest, await this.#blamed(error), entry.staged, entry.proven);
      }
    }
  }

  /** An engine that is exiting returns 500 to every request: no refusal of an adapter that worked here before. */
  async #blamed(error: unknown): Promise<unknown> {
    if (!(error instanceof EngineRefused) || error.status !== 500 || (await this.#options.engine.alive())) return error;
    return new EngineUnavailable(error.message, { cause: error });
  }

  /**
   * When only the engine is unavailable, files and entry stay, and the next tick retries; everything else is a refusal.
   */
  async #failed(name: string, digest: string, error: unknown, staged?: Staged, proven?: CanaryResult): Promise<Entry> {
    const { metrics, staging, log } = this.#options;
    const bootID = this.#bootID;
    const refusal = refusalOf(error);
    if (!refusal) {
      this.#entries.delete(name);
      throw error;
    }
    const { reason, message } = refusal;
    log("adapter not loaded", { adapter: name, reason, message });
    if (reason === "EngineUnavailable" && staged)
      return this.#update({ name, digest, state: "Staging", staged, message, ...(proven ? { proven } : {}) });
    metrics.refused(reason);
    await staging.remove(name);
    const answers = error instanceof Mismatched ? { proven: error.proven } : {};
    return this.#update({ name, digest, state: "Refused", reason, message, bootID, ...answers });
  }

  async #remove(name: string): Promise<void> {
    const { engine, inFlight, staging, log } = this.#options;
    await this.#flights.get(name)?.catch(() => undefined);
    this.#entries.delete(name);
    if (!(await inFlight.drained(drainTime, name)))
      log("requests still open while unloading", { adapter: name, open: inFlight.count(name) });
    await this.#engineChanges.run(async () => {
      // If the engine is unavailable, a later tick unloads what isn't wanted.
      await engine.unload(name).catch((error) => log("not unloaded yet", { adapter: name, message: error.message }));
      await staging.remove(name);
    });
    inFlight.forget(name);
    log("adapter unloaded", { adapter: name });
  }

  /**
   * The engine's models, or undefined when it is unavailable; one slow answer of a busy engine doesn't count as that.
   */
  async #look(): Promise<ServedModel[] | undefined> {
    const { engine, liveness } = this.#options;
    try {
      const models = await engine.models();
      this.#silences = 0;
      return models;
    } catch (error) {
      this.#silences++;
      const gone = error instanceof EngineUnavailable && error.gone;
      if (!gone && this.#silences < toleratedSilence) return undefined;
      if (this.#bootID !== "") liveness.restarted();
      this.#bootID = "";
      for (const entry of this.#entries.values()) {
        if (entry.state === "Loaded") this.#set({ ...entry, state: "Staging" });
      }
      return undefined;
    }
  }

  /** Identifies this start of the engine. Read when there is a sign that it changed, and now and then without one. */
  async #nameBoot(missing: boolean): Promise<void> {
    const { engine, liveness, metrics, log } = this.#options;
    if (this.#bootID !== "" && !missing && this.#ticks++ % vitalsEvery !== 0) return;
    const vitals = await engine.vitals().catch(() => undefined);
    if (!vitals) return;
    if (!vitals.startTime && (this.#bootID === "" || missing)) this.#unnamedBoots++;
    const bootID = vitals.startTime ?? `unnamed-${this.#unnamedBoots}`;
    if (bootID !== this.#bootID) {
      if (this.#bootID !== "") liveness.restarted();
      this.#bootID = bootID;
      this.#options.onBoot?.();
      metrics.restarted();
      log("engine started", { bootID });
    }
    liveness.corrupted(vitals.corruptedRequests);
  }

  async #unloadStrays(models: ServedModel[]): Promise<void> {
    const { engine, log } = this.#options;
    for (const { id, parent } of models) {
      if (parent === undefined || this.#removals.has(id)) continue;
      await this.#engineChanges.run(async () => {
        const entry = this.#entries.get(id);
        if (entry && entry.state !== "Refused") return;
        log("unloading an adapter that nobody asked for", { adapter: id });
        await engine.unload(id).catch((error) => log("not unloaded yet", { adapter: id, message: error.message }));
      });
    }
  }

  /** A late result can't resurrect a removed adapter. */
  #update(entry: Entry): Entry {
    return this.#entries.has(entry.name) ? this.#set(entry) : entry;
  }

  #set(entry: Entry): Entry {
    this.#entries.set(entry.name, entry);
    this.#tell(entry);
    return entry;
  }

  /** Clients that wait for an adapter learn that it is there, or why it won't be. */
  #tell(entry: Entry): void {
    const { demand } = this.#options;
    if (entry.state === "Loaded") demand.arrived(entry.name);
    if (entry.state === "Refused") demand.answer(entry.name, verdictOf(entry));
  }

  counts(): Record<Entry["state"], number> {
    const counts = { Staging: 0, Loaded: 0, Refused: 0 };
    for (const entry of this.#entries.values()) counts[entry.state]++;
    return counts;
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
