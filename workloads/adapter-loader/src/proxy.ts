import { Readable } from "node:stream";
import { type Clock, systemClock } from "@rune/clients/clock";
import { parseJSON } from "@rune/clients/http/json";
import type { DemandVerdict } from "@rune/crds/contracts/loader";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Agent, type Dispatcher, request } from "undici";
import { z } from "zod";
import type { Demand } from "./demand.ts";
import type { Engine } from "./engine.ts";
import { type Entry, verdictOf } from "./entry.ts";
import type { InFlight } from "./in-flight.ts";
import type { Metrics } from "./metrics.ts";
import { objectionTo } from "./request-rules.ts";

export type ProxyOptions = {
  engineURL: string;
  engine: Pick<Engine, "models">;
  base: string;
  find: (name: string) => Entry | undefined;
  ready: () => { ready: boolean; problem: string };
  accepting: () => boolean;
  inFlight: InFlight;
  demand: Demand;
  metrics: Metrics;
  clock?: Clock;
};

const asked = z.looseObject({ model: z.string().min(1).max(253) });
const largestBody = 16 * 1024 * 1024;
/** Of all open requests together. Parsed, a body takes a few times as much memory. */
const mostBodyBytes = 8 * largestBody;
const mostInFlight = 512;
const longest = 30 * 60_000;
/** An Adapter's name ends in the digest of its weights; no other name can be loaded here. */
const adapterName = /^(?=.{18,52}$)[a-z0-9][-a-z0-9]*-[0-9a-f]{16}$/;
const passedOn = ["content-type", "accept", "x-request-id", "traceparent", "tracestate"];
const passedBack = ["content-type", "x-request-id", "retry-after"];

/** The public port: chat, completions and the list of models; every other path of the engine stays inside the pod. */
export function proxyApp(options: ProxyOptions): Hono {
  const dispatcher = new Agent({ pipelining: 0, connect: { timeout: 2_000 }, headersTimeout: longest, bodyTimeout: longest });
  const app = new Hono();
  app.use(
    bodyLimit({ maxSize: largestBody, onError: (context) => failure(context, 413, `the request is larger than ${largestBody} bytes`) }),
  );
  app.get("/health", (context) => {
    const { ready, problem } = options.ready();
    return ready && options.accepting() ? context.text("") : later(context, problem || "shutting down", 5);
  });
  app.get("/v1/models", (context) => models(context, options));
  const bodies = { bytes: 0 };
  for (const path of ["/v1/chat/completions", "/v1/completions"])
    app.post(path, async (context) => {
      let size = sizeOf(context);
      if (bodies.bytes + size > mostBodyBytes) {
        options.metrics.request(path, 429, 0);
        return failure(context, 429, "too many large requests are open", { "retry-after": "2" });
      }
      bodies.bytes += size;
      try {
        const body = Buffer.from(await context.req.arrayBuffer());
        bodies.bytes += body.length - size;
        size = body.length;
        return await forward(context, { path, body }, options, dispatcher);
      } finally {
        bodies.bytes -= size;
      }
    });
  app.notFound((context) => failure(context, 404, `there is no ${context.req.method} ${context.req.path} here`));
  app.onError((error, context) => failure(context, 500, `the loader failed: ${error.name}`));
  return app;
}

/** Base and routable adapters only: what is loaded but not proven isn't listed. */
async function models(context: Context, { engine, base, find }: ProxyOptions): Promise<Response> {
  const served = await engine.models().catch(() => undefined);
  if (!served) return later(context, "the engine is unavailable", 5);
  const offered = served.filter(({ id, parent }) => (parent === undefined ? id === base : find(id)?.state === "Loaded"));
  const data = offered.map(({ id, root, parent }) => ({
    id,
    object: "model",
    owned_by: "rune",
    root: root ?? null,
    parent: parent ?? null,
  }));
  return context.json({ object: "list", data });
}

/** Bytes of a request's body before it is read; one that doesn't tell may be as large as any. */
const sizeOf = (context: Context) => Number(context.req.header("content-length") ?? largestBody);

async function forward(
  context: Context,
  { path, body }: { path: string; body: Buffer },
  options: ProxyOptions,
  dispatcher: Dispatcher,
): Promise<Response> {
  const { clock = systemClock, metrics } = options;
  const started = clock.now();
  const done = (status: number) => metrics.request(path, status, (clock.now() - started) / 1000);
  const parsed = asked.safeParse(parseJSON(body));
  const refusal = parsed.success
    ? (refuseFields(context, parsed.data) ?? (await admit(context, parsed.data.model, options)))
    : failure(context, 400, "the body must be JSON with the name of a model in `model`", {}, "model");
  if (refusal || !parsed.success) {
    done(refusal?.status ?? 400);
    return refusal ?? failure(context, 400, "no model");
  }
  return await pass(context, { path, body, model: parsed.data.model, done }, options, dispatcher);
}

/** Keeps fields that would harm the engine from reaching it. */
function refuseFields(context: Context, document: z.infer<typeof asked>): Response | undefined {
  const objection = objectionTo(document);
  return objection && failure(context, 400, objection.message, {}, objection.param);
}

/**
 * Why a model can't be used, or undefined; waits for an absent adapter while the operator loads it or reports why not.
 */
async function admit(context: Context, model: string, options: ProxyOptions): Promise<Response | undefined> {
  const busy = refuse(context, options);
  if (busy || isHere(model, options)) return busy;
  const entry = options.find(model);
  if (entry?.state === "Refused" && !verdictOf(entry).retrySeconds) return told(context, verdictOf(entry));
  if (!adapterName.test(model))
    return failure(
      context,
      404,
      `there is no model ${model.slice(0, 253)} here; GET /v1/models lists what is loaded, and any Adapter of this base in the server's namespace may be asked for by its name`,
    );
  if (options.demand.isFull(model))
    return failure(context, 429, "too many requests wait for adapters that aren't loaded", { "retry-after": "5" });
  const ending = await options.demand.wait(model, context.req.raw.signal);
  if (ending.there)
    return refuse(context, options) ?? (isHere(model, options) ? undefined : later(context, `${model} was unloaded again`, 1));
  return told(context, ending.verdict ?? { message: "the client has gone", retrySeconds: 1 });
}

const isHere = (model: string, { base, find }: ProxyOptions) => model === base || find(model)?.state === "Loaded";

/** Why no model can be used now, or undefined. */
function refuse(context: Context, options: ProxyOptions): Response | undefined {
  const { ready, problem } = options.ready();
  if (!options.accepting()) return later(context, "this server is shutting down", 1);
  if (!ready) return later(context, `the engine is not ready: ${problem}`, 5);
  if (options.inFlight.total() >= mostInFlight) return failure(context, 429, "too many requests are open", { "retry-after": "2" });
  return undefined;
}

function told(context: Context, { message, retrySeconds }: DemandVerdict): Response {
  if (retrySeconds === undefined) return failure(context, 404, message);
  // The retry must open a new connection: it may reach a replica that holds the adapter.
  context.header("connection", "close");
  return later(context, message, retrySeconds);
}

type Passing = { path: string; body: Buffer; model: string; done: (status: number) => void };

async function pass(context: Context, passing: Passing, options: ProxyOptions, dispatcher: Dispatcher): Promise<Response> {
  const end = options.inFlight.begin(passing.model);
  const finish = (status: number) => {
    end();
    passing.done(status);
  };
  try {
    const answer = await request(`${options.engineURL}${passing.path}`, {
      method: "POST",
      headers: pick(passedOn, (name) => context.req.header(name)),
      body: passing.body,
      dispatcher,
      signal: context.req.raw.signal,
    });
    // An engine that has just restarted doesn't have the adapter yet; the next tick loads it again.
    if (answer.statusCode === 404 && passing.model !== options.base) {
      await answer.body.dump();
      finish(503);
      return later(context, `${passing.model} is being loaded again`, 1);
    }
    answer.body.once("close", () => finish(answer.statusCode));
    const headers = pick(passedBack, (name) => answer.headers[name] as string | undefined);
    return new Response(Readable.toWeb(answer.body) as ReadableStream, { status: answer.statusCode, headers });
  } catch (error) {
    const gone = context.req.raw.signal.aborted;
    finish(gone ? 499 : 503);
    return later(context, `the engine did not answer: ${(error as Error).message}`, 5);
  }
}

function pick(names: string[], value: (name: string) => string | undefined): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => ((found) => (found === undefined ? [] : [[name, found]]))(value(name))));
}

/** Unavailable, but soon available. */
function later(context: Context, message: string, seconds: number): Response {
  return failure(context, 503, message, { "retry-after": String(seconds) });
}

/** An error in the format of OpenAI's API. */
function failure(
  context: Context,
  status: 400 | 404 | 413 | 429 | 500 | 503,
  message: string,
  headers: Record<string, string> = {},
  param: string | null = null,
): Response {
  const type = {
    400: "BadRequestError",
    404: "NotFoundError",
    413: "BadRequestError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
  }[status];
  return context.json({ error: { message, type, param, code: status } }, status, headers);
}
