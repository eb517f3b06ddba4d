import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { type Clock, systemClock } from "@rune/clients/clock";
import type { LoaderConfig } from "@rune/crds/contracts/loader";
import { port } from "@rune/crds/words/ports";
import { Hono } from "hono";
import type { Logger } from "pino";
import { AdapterFiles } from "./adapter-files.ts";
import { adminApp } from "./admin.ts";
import { readMarker } from "./base-model/marker.ts";
import { type BaseShapes, readBaseShapes } from "./base-shapes.ts";
import { Demand } from "./demand.ts";
import { Engine } from "./engine.ts";
import { EngineHealth } from "./engine-health.ts";
import { InFlight } from "./in-flight.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { proxyApp } from "./proxy.ts";
import { RequestGate } from "./request-gate.ts";
import { Residency } from "./residency.ts";

export type Ports = { inference: number; admin: number; metrics: number };
export type Sidecar = { ports: Ports; residency: Residency; health: EngineHealth; stop(): Promise<void> };
export type SidecarOptions = {
  podUID: string;
  log: Pick<Logger, "info" | "error">;
  ports?: Ports;
  clock?: Clock;
  tickMilliseconds?: number;
  drainMilliseconds?: number;
};

/** Starts the three ports and the monitoring of the engine. */
export async function startSidecar(config: LoaderConfig, options: SidecarOptions): Promise<Sidecar> {
  const { log, clock = systemClock, ports = port } = options;
  const { base, shapes } = await stagedBase(config);
  const engine = new Engine({ url: config.engineURL, clock });
  const inFlight = new InFlight(clock);
  const demand = new Demand(clock);
  const doors = new RequestGate(inFlight);
  const health = new EngineHealth({ engine, base: base.name, clock });
  const metrics: Metrics = createMetrics(() => ({
    ready: health.ready,
    adapters: residency.counts(),
    inFlight: inFlight.total(),
    slots: config.slots,
  }));
  const staging = new AdapterFiles({
    directory: config.adapterDirectory,
    registryURL: config.registryURL,
    baseDigest: base.digest,
    shapes,
    maxRank: config.maxRank,
    clock,
  });
  const { slots, maxRank } = config;
  const residency: Residency = new Residency({
    ...{ engine, staging, health, inFlight, demand, metrics, base, slots, maxRank, clock },
    onBoot: () => doors.reopen(),
    log: (message, fields) => log.info(fields ?? {}, message),
  });
  await residency.restore();

  const ready = () => ({ ready: health.ready, problem: health.problem });
  const settled = () => doors.open && health.ready && residency.settled;
  const { drainMilliseconds = 90_000 } = options;
  // A hanging engine never finishes a request; then there is nothing to wait for.
  const drain = () => {
    const drained = doors.drain(health.ready ? drainMilliseconds : 0);
    demand.dismiss("this server is shutting down");
    return drained;
  };
  const inference = proxyApp({
    ...{ engineURL: config.engineURL.replace(/\/+$/, ""), engine, base: base.name, ready, inFlight, demand, metrics, clock },
    find: (name) => residency.find(name),
    accepting: () => doors.open,
  });
  const servers = await Promise.all([
    listen(inference, ports.inference),
    listen(adminApp(residency, demand, config.adminKeys, options.podUID), ports.admin),
    listen(
      metricsApp(metrics, settled, () => health.spoilt, drain),
      ports.metrics,
    ),
  ]);
  const watch = watchEngine(residency, health, log, clock, options.tickMilliseconds ?? 1_000);
  const stop = async () => {
    watch.abort();
    const locked = doors.lock(drainMilliseconds);
    demand.dismiss("this server is shutting down");
    log.info({ unanswered: await locked }, "stopping");
    await Promise.all(servers.map(close));
  };
  const [first, second, third] = servers.map((server) => (server.address() as AddressInfo).port);
  return { ports: { inference: first ?? 0, admin: second ?? 0, metrics: third ?? 0 }, residency, health, stop };
}

/** Identity and shapes of the base, from the stager's marker or from its files. */
async function stagedBase(config: LoaderConfig): Promise<{ base: { name: string; digest: string | undefined }; shapes: BaseShapes }> {
  const marker = await readMarker(config.base.path);
  const digest = config.base.digest ?? marker?.digest;
  if (marker && digest !== marker.digest)
    throw new Error(`${config.base.path} holds ${marker.digest}, the configuration says ${digest}; the pod must be created again`);
  return { base: { name: config.base.name, digest }, shapes: marker?.shapes ?? (await readBaseShapes(config.base.path)) };
}

const loopback = ["127.0.0.1", "::1", "::ffff:127.0.0.1"];

function metricsApp(metrics: Metrics, ready: () => boolean, spoilt: () => string | undefined, drain: () => Promise<number>): Hono {
  const app = new Hono();
  app.get("/metrics", async (context) =>
    context.text(await metrics.text(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  app.get("/healthz", (context) => context.text("ok"));
  app.get("/readyz", (context) => (ready() ? context.text("ok") : context.text("the engine or an adapter is not ready", 503)));
  // The engine container's own probe reads this: that container must restart, not this one.
  app.get("/spoilt", (context) => {
    const problem = spoilt();
    return problem ? context.text(problem) : context.text("", 404);
  });
  // The engine's preStop hook calls this and waits: the sidecar itself gets its signal only after the engine has
  // exited.
  app.get("/drain", async (context) => {
    if (!loopback.includes(getConnInfo(context).remote.address ?? "")) return context.text("only the pod itself may ask for this", 403);
    return context.text(`${await drain()} requests are left\n`);
  });
  return app;
}

/** Residency every second, health when it is due; neither overlaps itself, and neither waits for the other. */
function watchEngine(
  residency: Residency,
  health: EngineHealth,
  log: SidecarOptions["log"],
  clock: Clock,
  milliseconds: number,
): AbortController {
  const over = new AbortController();
  const repeat = async (what: string, work: () => Promise<void>) => {
    while (!over.signal.aborted) {
      await work().catch((error) => log.error({ error: String(error) }, `${what} failed`));
      await clock.wait(milliseconds, over.signal).catch(() => undefined);
    }
  };
  void repeat("comparing adapters", () => residency.tick());
  void repeat("asking the engine", () => health.check());
  return over;
}

async function listen(app: Hono, number: number): Promise<Server> {
  return await new Promise((resolve, reject) => {
    // Without a host name Node listens on IPv6 and IPv4, or on IPv4 alone where the node has nothing else.
    const server = serve({ fetch: app.fetch, port: number }, () => resolve(server)) as Server;
    server.once("error", reject);
  });
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 2_000).unref();
  await closed;
}
