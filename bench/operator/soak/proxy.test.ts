import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { makeAuthority, makeKubeconfig } from "../certificates.ts";
import { FaultProxy } from "./proxy.ts";

let folder: string;
let upstream: Server;
let kubeconfig: string;
let proxy: FaultProxy;
let url: string;
let dice: number;
const watches: ServerResponse[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rune-bench-test-"));
  await makeAuthority(folder);
  const [key, cert] = await Promise.all(["server.key", "server.crt"].map((name) => readFile(join(folder, name))));
  upstream = createServer({ key, cert }, (incoming, outgoing) => {
    if (incoming.url?.includes("watch=true")) {
      watches.push(outgoing);
      outgoing.write('{"type":"ADDED"}\n{"type":"MOD');
    } else incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  kubeconfig = await makeKubeconfig(folder, "operator", `https://127.0.0.1:${(upstream.address() as AddressInfo).port}`);
});
afterAll(async () => {
  upstream.close();
  upstream.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  dice = 1;
  proxy = new FaultProxy({ kubeconfig, conflictShare: 0.05, random: () => dice });
  url = await proxy.start();
});
afterEach(() => proxy.stop());

const put = () => fetch(`${url}/things/a`, { method: "PUT", body: "body" });

test("what no fault hits passes through, body included", async () => {
  expect(await (await put()).text()).toBe("body");
});

test("a share of the writes, and no read, is answered with a conflict", async () => {
  dice = 0.04;
  const refused = await put();
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ kind: "Status", reason: "Conflict" });
  expect((await fetch(`${url}/things`)).status).toBe(200);
  proxy.makePeace();
  expect((await put()).status).toBe(200);
  expect(proxy.injected.conflicts).toBe(1);
});

test("while it throttles everybody is asked to come back in a second", async () => {
  proxy.throttle(60);
  const refused = await fetch(`${url}/things`);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  await refused.text();
});

test("an expired watch ends with a whole line that says 410, whatever half line the server had sent", async () => {
  const answer = await fetch(`${url}/things?watch=true`);
  const reader = answer.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const first = new TextDecoder().decode((await reader.read()).value);
  expect(first).toBe('{"type":"ADDED"}\n');
  proxy.expireWatches();
  const last = JSON.parse(new TextDecoder().decode((await reader.read()).value));
  expect(last).toMatchObject({ type: "ERROR", object: { code: 410 } });
  expect((await reader.read()).done).toBe(true);
});

test("a reset cuts what is open", async () => {
  const answer = await fetch(`${url}/things?watch=true`);
  const broken = answer.text().then(
    () => "ended",
    () => "broken",
  );
  proxy.reset();
  expect(await broken).toBe("broken");
  expect(proxy.injected.resets).toBe(1);
});
