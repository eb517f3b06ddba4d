import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, FakeApiServer, settle, VirtualClock } from "../testing/index.ts";
import { ApiError, ConnectionError } from "./api-error.ts";
import type { Client } from "./client.ts";
import type { Access } from "./credentials.ts";
import { configMaps } from "./resource.ts";
import { type Exchange, Transport } from "./transport.ts";

const key = { namespace: "default", name: "a" };
const object = { apiVersion: "v1", kind: "ConfigMap", metadata: key };

let server: FakeApiServer;
let clock: VirtualClock;
let client: Client;
beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new VirtualClock();
  client = server.client({ clock, random: () => 0.5 });
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

/** Lets virtual time pass until the promise has settled. */
async function withTime<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  promise.then(mark, mark);
  while (!settled) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(100);
  }
  return promise;
}

describe("a transport", () => {
  test("repeats a read that met 5xx or a lost connection", async () => {
    server.put(configMaps, object);
    server.inject({ action: { do: "refuse", status: 503 } });
    server.inject({ action: { do: "reset" } });
    expect((await withTime(client.get(configMaps, key))).metadata.name).toBe("a");
    expect(server.requests).toHaveLength(3);
  });

  test("never repeats a create that may have been carried out", async () => {
    server.inject({ action: { do: "reset after" } });
    await expect(client.create(configMaps, object)).rejects.toBeInstanceOf(ConnectionError);
    server.inject({ action: { do: "refuse", status: 500 } });
    await expect(client.create(configMaps, { ...object, metadata: { ...key, name: "b" } })).rejects.toMatchObject({ status: 500 });
    expect(server.requests).toHaveLength(2);
  });

  test("repeats any request that was throttled, not before Retry-After", async () => {
    server.inject({ action: { do: "refuse", status: 429, retryAfterSeconds: 3 } });
    const applying = client.apply(configMaps, object, { fieldManager: "t" });
    await eventually(() => clock.pending === 1);
    await clock.advance(2_999);
    expect(server.requests).toHaveLength(1);
    await clock.advance(1);
    expect((await applying).metadata.name).toBe("a");
  });

  test("does not hang for a long Retry-After: the caller is told", async () => {
    server.inject({ action: { do: "refuse", status: 429, retryAfterSeconds: 60 } });
    await expect(client.get(configMaps, key)).rejects.toMatchObject({ status: 429, retryAfter: 60 });
  });

  test("gives up after four repetitions, with the server's words", async () => {
    server.inject({ times: 9, action: { do: "refuse", status: 500, reason: "InternalError" } });
    const error = await withTime(client.get(configMaps, key).catch((problem: unknown) => problem));
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).message).toBe("GET /api/v1/namespaces/default/configmaps/a answered 500: injected 500");
    expect(server.requests).toHaveLength(5);
  });

  test("an aborted call ends at once, with the signal's reason", async () => {
    server.inject({ action: { do: "hang" } });
    const abort = new AbortController();
    const getting = client.get(configMaps, key, { signal: abort.signal });
    await eventually(() => server.requests.length === 1);
    abort.abort(new Error("enough"));
    await expect(getting).rejects.toThrow("enough");
  });

  test("500 calls use no more connections than the pool has", async () => {
    server.put(configMaps, object);
    const narrow = server.client({ connections: 4 });
    await Promise.all(Array.from({ length: 500 }, () => narrow.get(configMaps, key)));
    expect(server.connections).toBe(4);
    await narrow.close();
    await eventually(() => server.connections === 0);
  });

  test("tells every exchange", async () => {
    const seen: Exchange[] = [];
    client.transport.observe((exchange) => seen.push(exchange));
    server.inject({ action: { do: "refuse", status: 404, reason: "NotFound" } });
    await client.find(configMaps, key);
    expect(seen).toMatchObject([{ method: "GET", code: "404" }]);
  });

  test("that is closed while it reads credentials sends nothing more and opens no connection", async () => {
    const reading = Promise.withResolvers<Access>();
    const transport = new Transport({ credentials: { server: server.url, access: () => reading.promise }, clock });
    const creating = transport.json({ method: "POST", path: "/api/v1/namespaces/default/configmaps", body: JSON.stringify(object) });
    await transport.close();
    reading.resolve({ headers: {}, tls: {} });
    await expect(creating).rejects.toThrow("the transport is closed");
    expect(server.requests).toEqual([]);
  });

  test("reads rotated credentials again after 30 s, and at once after 401", async () => {
    server.put(configMaps, object);
    let reads = 0;
    const access = (): Promise<Access> => {
      reads += 1;
      return Promise.resolve({ headers: { authorization: `Bearer ${reads}` }, tls: {} });
    };
    const transport = new Transport({ credentials: { server: server.url, access }, clock });
    const get = () => transport.json({ method: "GET", path: "/api/v1/namespaces/default/configmaps/a" });
    await Promise.all([get(), get()]);
    await get();
    expect(reads).toBe(1);
    await clock.advance(30_000);
    await get();
    expect(reads).toBe(2);
    server.inject({ action: { do: "refuse", status: 401, reason: "Unauthorized" } });
    await expect(get()).rejects.toMatchObject({ status: 401 });
    await get();
    expect(reads).toBe(3);
    await transport.close();
  });

  test("leaving a watch early closes its connection", async () => {
    const watch = client.watch(configMaps, { resourceVersion: "0" });
    const first = watch.next();
    await eventually(() => server.watches === 1);
    server.put(configMaps, object);
    expect((await first).value).toMatchObject({ type: "ADDED", object: { metadata: { name: "a" } } });
    await watch.return(undefined);
    await eventually(() => server.watches === 0);
    await settle();
    expect(clock.pending).toBe(0);
  });
});
