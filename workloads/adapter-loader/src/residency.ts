import { type Clock, systemClock } from "@rune/clients/clock";
import { type LoaderState, type LoadRequest, permanentRefusals } from "@rune/crds/contracts/loader";
import type { AdapterFiles } from "./adapter-files.ts";
import type { Demand } from "./demand.ts";
import type { Engine, ServedModel } from "./engine.ts";
import type { EngineHealth } from "./engine-health.ts";
import { EngineWatch } from "./engine-watch.ts";
import { Entries } from "./entries.ts";
import { type Entry, held } from "./entry.ts";
import type { InFlight } from "./in-flight.ts";
import { Loading } from "./loading.ts";
import type { Metrics } from "./metrics.ts";
import { slotFor } from "./slots.ts";

export type ResidencyOptions = {
  engine: Engine;
  staging: AdapterFiles;
  health: EngineHealth;
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
/** Then bytes that weren't the digest's are pulled again, if they are still wanted. */
const mismatchMilliseconds = 5 * 60_000;

/**
 * Which adapters this pod holds. Requested adapters are loaded again after every start of the engine; others are
 * unloaded. Calls that change the engine run one at a time, and only with files that passed every check.
 */
export class Residency {
  readonly #options: ResidencyOptions;
  readonly #clock: Clock;
  readonly #entries: Entries;
  readonly #watch: EngineWatch;
  readonly #loading: Loading;
  readonly #flights = new Map<string, Promise<Entry>>();
  readonly #removals = new Map<string, Promise<void>>();

  constructor(options: ResidencyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { engine, staging, health, inFlight, metrics, demand, base, log } = options;
    this.#entries = new Entries(demand);
    this.#watch = new EngineWatch({
      ...{ engine, health, metrics, log },
      onBoot: () => options.onBoot?.(),
      onLost: () => this.#lose(),
    });
    const bootID = () => this.#watch.bootID;
    this.#loading = new Loading({ engine, staging, entries: this.#entries, metrics, base, bootID, inFlight, clock: this.#clock, log });
  }

  /** What an earlier run of this program held is wanted again. */
  async restore(): Promise<void> {
    for (const staged of await this.#options.staging.restore())
      this.#entries.set({ name: staged.name, digest: staged.digest, state: "Staging", staged });
  }

  state(): LoaderState {
    const { health, base, slots, maxRank, demand } = this.#options;
    const engine = {
      ready: health.ready,
      bootID: this.#watch.bootID,
      slots,
      maxRank,
      ...(base.digest ? { baseDigest: base.digest } : {}),
    };
    return {
      engine,
      adapters: this.#entries.values().map((entry) => ({ ...held(entry), ...this.#use(entry) })),
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
    return this.#entries.values().every((entry) => entry.state !== "Staging" || this.#flights.has(entry.name));
  }

  /** Loads an adapter, once for simultaneous calls. Returns its state; never throws for a refusal. */
  async put(name: string, request: LoadRequest): Promise<Entry> {
    await this.#removals.get(name);
    const known = this.#entries.get(name);
    if (!name.endsWith(`-${request.digest.slice(7, 23)}`) || (known && known.digest !== request.digest)) {
      const message = `${name} must end in the first 16 hex digits of ${request.digest}: a name stands for its bytes`;
      return {
        name,
        digest: request.digest,
        state: "Refused",
        reason: "DigestMismatch",
        message,
        bootID: this.#watch.bootID,
        at: this.#clock.now(),
      };
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
    const before = this.#entries.values();
    const models = await this.#watch.models();
    if (!models) return;
    const isUnchanged = (entry: Entry) => this.#entries.get(entry.name) === entry && !this.#flights.has(entry.name);
    const unchanged = before.filter(isUnchanged);
    const isThere = (entry: Entry) => models.some(({ id, root }) => id === entry.name && root === entry.staged?.directory);
    const lost = unchanged.filter((entry) => entry.state === "Loaded" && !isThere(entry));
    await this.#watch.identify(lost.length > 0);
    for (const entry of unchanged) if (this.#isPast(entry) && isUnchanged(entry)) this.#entries.delete(entry.name);
    await this.#unloadStrays(models);
    for (const entry of unchanged) {
      const wanted = lost.includes(entry) || entry.state === "Staging";
      if (wanted && entry.staged && isUnchanged(entry)) await this.#loading.loadAgain(entry.staged, entry.proven);
    }
    await this.#loading.proveAgain();
  }

  /**
   * A refusal that a retry can't change: the same bytes, or an engine that refused and may not survive another attempt.
   */
  #isFinal(entry: Entry): boolean {
    if (entry.state !== "Refused") return entry.state === "Loaded";
    return permanentRefusals.includes(entry.reason) || (entry.reason === "EngineRefused" && entry.bootID === this.#watch.bootID);
  }

  /**
   * A refusal that may not hold any more: another engine is there, or the registry's bytes may have been restored. Without an
   * entry the adapter is asked for again, by the operator or by clients.
   */
  #isPast(entry: Entry): boolean {
    if (entry.state !== "Refused") return false;
    if (entry.reason === "EngineRefused") return this.#watch.bootID !== "" && entry.bootID !== this.#watch.bootID;
    return entry.reason === "DigestMismatch" && this.#clock.now() - entry.at >= mismatchMilliseconds;
  }

  async #bring(name: string, request: LoadRequest, known: Entry | undefined): Promise<Entry> {
    const started = this.#clock.now();
    let staged = known?.state === "Staging" ? known.staged : undefined;
    try {
      slotFor(name, this.#entries.values(), this.#options.slots);
      this.#entries.set({ name, digest: request.digest, state: "Staging", ...(staged ? { staged } : {}) });
      staged ??= await this.#options.staging.stage(name, request);
      const entry = await this.#loading.bringUp(staged);
      this.#options.metrics.loaded((this.#clock.now() - started) / 1000, "load");
      return entry;
    } catch (error) {
      return await this.#loading.failed(name, request.digest, error, staged);
    }
  }

  /** With the engine everything is lost that was loaded; files stay, and what is wanted is loaded again. */
  #lose(): void {
    for (const entry of this.#entries.values()) if (entry.state === "Loaded") this.#entries.set({ ...entry, state: "Staging" });
  }

  async #remove(name: string): Promise<void> {
    const { engine, inFlight, staging, log } = this.#options;
    await this.#flights.get(name)?.catch(() => undefined);
    this.#entries.delete(name);
    if (!(await inFlight.drained(drainTime, name)))
      log("requests still open while unloading", { adapter: name, open: inFlight.count(name) });
    await this.#loading.changes.run(async () => {
      // If the engine is unavailable, a later tick unloads what isn't wanted.
      await engine.unload(name).catch((error) => log("not unloaded yet", { adapter: name, message: error.message }));
      await staging.remove(name);
    });
    inFlight.forget(name);
    log("adapter unloaded", { adapter: name });
  }

  async #unloadStrays(models: ServedModel[]): Promise<void> {
    const { engine, log } = this.#options;
    for (const { id, parent } of models) {
      if (parent === undefined || this.#removals.has(id)) continue;
      await this.#loading.changes.run(async () => {
        const entry = this.#entries.get(id);
        if (entry && entry.state !== "Refused") return;
        log("unloading an adapter that nobody asked for", { adapter: id });
        await engine.unload(id).catch((error) => log("not unloaded yet", { adapter: id, message: error.message }));
      });
    }
  }

  counts(): Record<Entry["state"], number> {
    return this.#entries.counts();
  }
}
