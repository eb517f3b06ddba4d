import { demandVerdict, type LoaderConfig, type LoaderState, type LoadRequest, loadRequest } from "@rune/crds/contracts/loader";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { z } from "zod";
import type { Demand } from "./demand.ts";
import { type Entry, outages } from "./entry.ts";

/** What the admin port needs of the residency. */
export type Adapters = {
  state(): LoaderState;
  put(name: string, request: LoadRequest): Promise<Entry>;
  remove(name: string): Promise<void>;
};

const since = z.coerce.number().int().min(0).catch(0);
const adapterName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** The operator's port: only the operator has the key. */
export function adminApp(adapters: Adapters, demand: Demand, keys: LoaderConfig["adminKeys"], podUID: string): Hono {
  const app = new Hono();
  app.use(authenticated(keys, podUID), bodyLimit({ maxSize: 64 * 1024 }));
  app.get("/state", (context) => context.json(adapters.state()));
  app.get("/wanted", async (context) => context.json(await demand.watch(since.parse(context.req.query("after")), context.req.raw.signal)));
  app.put("/wanted/:name", async (context) => {
    const verdict = demandVerdict.safeParse(await context.req.json().catch(() => undefined));
    if (!verdict.success) return context.json({ message: `the body of this request is wrong: ${verdict.error}` }, 400);
    demand.answer(context.req.param("name"), verdict.data);
    return context.json(adapters.state());
  });
  app.put("/adapters/:name", async (context) => {
    const name = context.req.param("name");
    const request = loadRequest.safeParse(await context.req.json().catch(() => undefined));
    if (!adapterName.test(name) || !request.success)
      return context.json({ message: `the name or the body of this request is wrong: ${request.error ?? name}` }, 400);
    return answer(context, adapters, await adapters.put(name, request.data));
  });
  app.delete("/adapters/:name", async (context) => {
    await adapters.remove(context.req.param("name"));
    return context.json(adapters.state());
  });
  return app;
}

function answer(context: Context, adapters: Adapters, entry: Entry): Response {
  const state = adapters.state();
  if (entry.state === "Loaded") return context.json(state, 200);
  if (entry.state === "Staging" || outages.includes(entry.reason)) {
    context.header("retry-after", "2");
    return context.json({ message: entry.message ?? "the engine is unavailable", ...state }, 503);
  }
  // A refusal without an entry (a name that doesn't match its digest) is still reported.
  const others = state.adapters.filter((adapter) => adapter.name !== entry.name);
  const own = state.adapters.find((adapter) => adapter.name === entry.name && adapter.digest === entry.digest);
  const told = own ?? { name: entry.name, digest: entry.digest, state: entry.state, reason: entry.reason, message: entry.message };
  return context.json({ ...state, adapters: [...others, told] }, 409);
}

function authenticated(keys: LoaderConfig["adminKeys"], podUID: string): MiddlewareHandler {
  const keySet = createLocalJWKSet(keys as unknown as JSONWebKeySet);
  return async (context, next) => {
    const [, token] = /^Bearer (\S+)$/.exec(context.req.header("authorization") ?? "") ?? [];
    const claims = {
      audience: podUID,
      issuer: "rune-operator",
      algorithms: ["ES256"],
      maxTokenAge: "5m",
      clockTolerance: 30,
      requiredClaims: ["exp"],
    };
    const valid =
      token !== undefined &&
      (await jwtVerify(token, keySet, claims).then(
        () => true,
        () => false,
      ));
    if (!valid) return context.json({ message: "this port is the operator's: a fresh token for this pod, signed by it, is needed" }, 401);
    return await next();
  };
}
