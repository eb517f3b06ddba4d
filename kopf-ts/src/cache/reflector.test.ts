import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DynamicObject, keyOf } from "../api/object.ts";
import { configMaps } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, type SeenRequest, VirtualClock } from "../testing/index.ts";
import { Informer } from "./cache.ts";
import { Reflector, type ReflectorSink } from "./reflector.ts";

const configMap = (name: string, value = "1") => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "default", name },
  data: { value },
});
const isList = (request: SeenRequest) => request.method === "GET" && !request.watch;
const isWatch = (request: SeenRequest) => request.watch;

let server: FakeApiServer;
let clock: VirtualClock;
let stops: (() => Promise<void>)[];
beforeEach(async () => {
  server = await FakeApiServer.start();
  clock = new VirtualClock();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await server.stop();
});

/** A sink that records what it receives. */
class Notebook implements ReflectorSink<DynamicObject> {
  readonly heard: string[] = [];
  readonly objects = new Map<string, DynamicObject>();

  replace(objects: readonly DynamicObject[]): void {
    this.heard.push(`list ${objects.map(({ metadata }) => metadata.name).join(" ")}`.trim());
    this.objects.clear();
    for (const object of objects) this.objects.set(keyOf(object.metadata), object);
  }
  put(object: DynamicObject): void {
    this.heard.push(`put ${object.metadata.name}`);
    this.objects.set(keyOf(object.metadata), object);
  }
  remove(object: DynamicObject): void {
    this.heard.push(`remove ${object.metadata.name}`);
    this.objects.delete(keyOf(object.metadata));
  }
}

function start(options: { pageSize?: number } = {}) {
  const notebook = new Notebook();
  const client = server.client({ clock, random: () => 0.5, retries: 0 });
  const failures: { error: Error; wait: number }[] = [];
  const reflector = new Reflector({
    client,
    resource: configMaps,
    sink: notebook,
    clock,
    random: () => 0.5,
    observer: { failed: (error, wait) => failures.push({ error, wait }) },
    ...options,
  });
  const abort = new AbortController();
  const running = reflector.run(abort.signal);
  const stop = async () => {
    abort.abort();
    await running;
    await client.close();
  };
  stops.push(stop);
  return { notebook, failures, stop, client, heard: (what: string) => eventually(() => notebook.heard.includes(what), what) };
}

const watching = () => eventually(() => server.watches === 1, "an open watch");
const lists = () => server.requests.filter(isList).length;
const watchVersions = () => server.requests.filter(isWatch).map(({ query }) => query.get("resourceVersion"));

describe("a reflector", () => {
  test("delivers every listed object, page by page, in one piece", async () => {
    for (const name of ["a", "b", "c", "d", "e"]) server.put(configMaps, configMap(name));
    const { heard } = start({ pageSize: 2 });
    await heard("list a b c d e");
    expect(lists()).toBe(3);
  });

  test("resumes from the last version after a clean close, without a new list", async () => {
    const { heard, notebook } = start();
    await watching();
    const { metadata } = server.put(configMaps, configMap("a"));
    await heard("put a");
    await clock.advance(2_000);
    server.closeWatches();
    await watching();
    expect(watchVersions()).toEqual(["100", metadata.resourceVersion]);
    server.put(configMaps, configMap("b"));
    await heard("put b");
    expect(notebook.heard).toEqual(["list", "put a", "put b"]);
    expect(lists()).toBe(1);
  });

  test("a bookmark moves the version and reaches nobody", async () => {
    const { notebook } = start();
    await watching();
    server.compact();
    server.bookmark();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(2_000);
    server.closeWatches();
    await watching();
    expect(watchVersions()).toEqual(["100", "101"]);
    expect(notebook.heard).toEqual(["list"]);
  });

  test("a bookmark keeps a quiet stream open; a silent one is reopened after 90 s", async () => {
    const { notebook, heard } = start();
    await watching();
    const heardBookmark = async () => {
      server.bookmark();
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await clock.advance(60_000);
    await heardBookmark();
    await clock.advance(60_000);
    expect(server.requests.filter(isWatch)).toHaveLength(1);
    server.muteWatches();
    server.put(configMaps, configMap("a"));
    await clock.advance(31_000);
    await eventually(() => server.requests.filter(isWatch).length === 2);
    await heard("put a");
    expect(notebook.heard).toEqual(["list", "put a"]);
  });

  test("a watch whose answer never begins is given up too", async () => {
    server.inject({ match: isWatch, action: { do: "hang" } });
    const { heard } = start();
    await eventually(() => server.requests.some(isWatch));
    await clock.advance(91_000);
    await watching();
    server.put(configMaps, configMap("a"));
    await heard("put a");
  });

  test("410 within the stream lists again", async () => {
    const { heard } = start();
    await watching();
    server.failWatches(410, "Expired");
    await eventually(() => clock.pending === 1);
    server.put(configMaps, configMap("a"));
    await clock.advance(1_000);
    await heard("list a");
    await watching();
  });

  test("410 as HTTP status lists again", async () => {
    server.inject({ match: isWatch, action: { do: "refuse", status: 410, reason: "Expired" } });
    const { heard, failures } = start();
    await eventually(() => failures.length === 1);
    server.put(configMaps, configMap("a"));
    await clock.advance(1_000);
    await heard("list a");
  });

  test("whatever fails is tried again, after 0.8 s, doubling up to 30 s", async () => {
    server.inject({ match: isList, times: 3, action: { do: "refuse", status: 500 } });
    server.inject({ match: isList, times: 3, action: { do: "reset" } });
    server.inject({ match: isList, times: 2, action: { do: "refuse", status: 429 } });
    server.put(configMaps, configMap("a"));
    const { heard, failures } = start();
    for (let round = 1; round <= 8; round += 1) {
      await eventually(() => failures.length === round && clock.pending > 0);
      await clock.advance(failures.at(-1)!.wait);
    }
    await heard("list a");
    expect(failures.map(({ wait }) => wait)).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  });

  test("waits as long as the server asks", async () => {
    server.inject({ match: isList, action: { do: "refuse", status: 429, retryAfterSeconds: 45 } });
    const { failures, heard } = start();
    await eventually(() => failures.length === 1);
    expect(failures[0]?.wait).toBe(45_000);
    await clock.advance(45_000);
    await heard("list");
  });

  test("a server that politely ends every watch at once is not hammered", async () => {
    const { failures } = start();
    await watching();
    server.closeWatches();
    await eventually(() => failures.length === 1);
    expect(failures[0]?.wait).toBe(800);
    expect(server.requests.filter(isWatch)).toHaveLength(1);
  });

  test("a stream that breaks after it was of use is opened again at once, however often that happens", async () => {
    const { heard, failures } = start();
    for (const [round, name] of ["a", "b", "c", "d"].entries()) {
      await eventually(() => server.requests.filter(isWatch).length === round + 1);
      server.put(configMaps, configMap(name));
      await heard(`put ${name}`);
      await clock.advance(2_000);
      server.resetWatches();
    }
    await eventually(() => server.requests.filter(isWatch).length === 5);
    expect(failures.map(({ wait }) => wait)).toEqual([0, 0, 0, 0]);
  });

  test("however often page tokens expire, the list comes to an end; the half list is never published", async () => {
    for (const name of ["a", "b", "c", "d"]) server.put(configMaps, configMap(name));
    const isNextPage = ({ query }: { query: URLSearchParams }) => query.has("continue");
    server.inject({ match: isNextPage, times: 1_000, action: { do: "refuse", status: 410, reason: "Expired" } });
    const { notebook, failures, heard } = start({ pageSize: 3 });
    await heard("list a b c d");
    expect(notebook.heard).toEqual(["list a b c d"]);
    expect(failures).toEqual([]);
    expect(server.requests.filter(isList).map(({ query }) => query.get("limit"))).toEqual(["3", "3", "0"]);
  });

  test("stop while listing, watching or waiting leaves no socket", async () => {
    server.inject({ match: isList, action: { do: "hang" } });
    const listing = start();
    await eventually(() => server.requests.some(isList));
    await listing.stop();

    const idle = start();
    await watching();
    await idle.stop();

    server.inject({ match: isList, action: { do: "refuse", status: 500 } });
    const waiting = start();
    await eventually(() => waiting.failures.length === 1);
    await waiting.stop();

    await eventually(() => server.connections === 0, "no connection");
    expect(server.requests.filter(isWatch)).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test("events split across chunks, in the middle of a character, and over 1 MB parse", async () => {
    const { heard, notebook } = start();
    await watching();
    server.put(configMaps, configMap("big", "ü".repeat(1_000_000)));
    await heard("put big");
    expect(notebook.objects.get("default/big")?.data.value).toHaveLength(1_000_000);
    const object = { ...configMap("split", "grün"), metadata: { namespace: "default", name: "split", uid: "1", resourceVersion: "900" } };
    const bytes = Buffer.from(`${JSON.stringify({ type: "ADDED", object })}\n`);
    const middle = bytes.indexOf("ü") + 1;
    server.writeToWatches(bytes.subarray(0, middle));
    await new Promise((resolve) => setTimeout(resolve, 10));
    server.writeToWatches(bytes.subarray(middle));
    await heard("put split");
    expect(notebook.objects.get("default/split")?.data.value).toBe("grün");
  });

  test("fills in the apiVersion and kind that list items lack", async () => {
    server.put(configMaps, configMap("a"));
    const { heard, notebook } = start();
    await heard("list a");
    expect(notebook.objects.get("default/a")).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
  });
});

describe("property", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("put" as const), name, value: fc.integer({ min: 0, max: 9 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), name }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("recreate" as const), name }) },
    fc.record({ do: fc.constantFrom("compact", "bookmark", "close", "reset", "gone", "error", "mute", "advance") }),
    { weight: 4, arbitrary: fc.record({ do: fc.constant("pause" as const) }) },
    fc.record({ do: fc.constant("fault" as const), on: fc.constantFrom(isList, isWatch), how: fc.constantFrom(410, 429, 500, 503, 0) }),
  );

  test("the cache, and anyone who followed its changes, equal the server's state in the end, for any interleaving of events and faults", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.boolean(), async (steps, watchList) => {
        const world = await FakeApiServer.start();
        const time = new VirtualClock();
        const client = world.client({ clock: time, retries: 1 });
        const options = { pageSize: 2, freeze: "deep" as const, watchList };
        const informer = new Informer({ client, resource: configMaps, clock: time, logger: silentLogger, ...options });
        const followed = new Map<string, string>();
        informer.onChange((change) => {
          const key = keyOf(change.object.metadata);
          const known = followed.get(key);
          if (change.type === "added") expect(known).toBeUndefined();
          else expect(known).toBe(change.object.metadata.uid);
          if (change.type === "deleted") followed.delete(key);
          else followed.set(key, change.object.metadata.uid!);
        });
        const abort = new AbortController();
        const running = informer.run(abort.signal);
        const remove = (which: string) =>
          world.find(configMaps, { namespace: "default", name: which }) && world.delete(configMaps, { namespace: "default", name: which });
        for (const one of steps) {
          if (one.do === "put") world.put(configMaps, configMap(one.name, String(one.value)));
          else if (one.do === "delete") remove(one.name);
          else if (one.do === "recreate") {
            remove(one.name);
            world.put(configMaps, configMap(one.name));
          } else if (one.do === "compact") world.compact();
          else if (one.do === "bookmark") world.bookmark();
          else if (one.do === "close") world.closeWatches();
          else if (one.do === "reset") world.resetWatches();
          else if (one.do === "gone") world.failWatches(410, "Expired");
          else if (one.do === "error") world.failWatches(500);
          else if (one.do === "mute") world.muteWatches();
          else if (one.do === "pause") await new Promise((resolve) => setTimeout(resolve, 2));
          else if (one.do === "advance") await time.advance(31_000);
          else if (one.do === "fault") {
            world.inject({ match: one.on, action: one.how ? { do: "refuse", status: one.how } : { do: "reset" } });
          }
        }
        world.clearFaults();
        const truth = () =>
          JSON.stringify(world.all(configMaps).map(({ metadata }) => [keyOf(metadata), metadata.uid, metadata.resourceVersion]));
        const seen = () =>
          JSON.stringify(
            informer
              .list()
              .map(({ metadata }) => [keyOf(metadata), metadata.uid, metadata.resourceVersion])
              .sort(),
          );
        for (let round = 0; round < 60 && !(informer.hasSynced && seen() === truth()); round += 1) {
          await time.advance(10_000);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        expect(seen()).toBe(truth());
        expect([...followed].sort()).toEqual(
          informer
            .list()
            .map(({ metadata }) => [keyOf(metadata), metadata.uid])
            .sort(),
        );
        abort.abort();
        await running;
        await client.close();
        await world.stop();
      }),
      { numRuns: 60 },
    );
  });
});
