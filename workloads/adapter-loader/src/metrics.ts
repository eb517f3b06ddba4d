import type { Refusal } from "@rune/crds/contracts/loader";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = {
  text(): Promise<string>;
  loaded(seconds: number, kind: "load" | "reload"): void;
  refused(reason: Refusal): void;
  canary(result: string): void;
  restarted(): void;
  request(path: string, status: number, seconds: number): void;
};

/** `observe` is called at every scrape. */
export function createMetrics(
  observe: () => { ready: boolean; adapters: Record<string, number>; inFlight: number; slots: number },
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Node 24 may abort while it lists handles that are closing; `nodejs_active_resources` counts the same.
  for (const what of ["handles", "handles_total", "requests", "requests_total"]) registry.removeSingleMetric(`nodejs_active_${what}`);
  const registers = [registry];
  const seconds = new Histogram({
    name: "rune_loader_load_seconds",
    help: "Time from the request until the adapter is loaded and its canary has run.",
    labelNames: ["kind"],
    buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    registers,
  });
  const refusals = new Counter({
    name: "rune_loader_refusals_total",
    help: "Adapters that were not loaded, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const canaries = new Counter({
    name: "rune_loader_canaries_total",
    help: "Canary requests, by result.",
    labelNames: ["result"],
    registers,
  });
  const restarts = new Counter({
    name: "rune_loader_engine_restarts_total",
    help: "Engine starts that this loader observed.",
    registers,
  });
  const requests = new Histogram({
    name: "rune_loader_request_seconds",
    help: "Duration of proxied requests, until the last byte.",
    labelNames: ["path", "status"],
    buckets: [0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 120, 300],
    registers,
  });
  new Gauge({ name: "rune_loader_adapters", help: "Adapters by state.", labelNames: ["state"], registers, collect: collectAdapters });
  new Gauge({ name: "rune_loader_slots", help: "Adapters that can be loaded at once.", registers, collect: collect("slots") });
  new Gauge({
    name: "rune_loader_engine_ready",
    help: "1 if the engine recently answered a real completion.",
    registers,
    collect: collect("ready"),
  });
  new Gauge({ name: "rune_loader_in_flight", help: "Requests being answered.", registers, collect: collect("inFlight") });

  function collect(field: "slots" | "ready" | "inFlight") {
    return function (this: Gauge): void {
      this.set(Number(observe()[field]));
    };
  }
  function collectAdapters(this: Gauge<"state">): void {
    for (const [state, count] of Object.entries(observe().adapters)) this.set({ state }, count);
  }

  return {
    text: () => registry.metrics(),
    loaded: (value, kind) => seconds.observe({ kind }, value),
    refused: (reason) => refusals.inc({ reason }),
    canary: (result) => canaries.inc({ result }),
    restarted: () => restarts.inc(),
    request: (path, status, value) => requests.observe({ path, status: String(status) }, value),
  };
}
