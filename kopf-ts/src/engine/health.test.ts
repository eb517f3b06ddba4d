import { afterEach, expect, test } from "vitest";
import { type Check, HealthServer } from "./health.ts";

let health: HealthServer | undefined;
afterEach(() => health?.stop());

async function serve(ready: Record<string, Check>) {
  health = new HealthServer({
    port: 0,
    host: "127.0.0.1",
    ready,
    live: { process: () => null },
    metrics: { text: () => Promise.resolve("up 1\n"), contentType: "text/plain; version=0.0.4" },
  });
  const port = await health.start();
  return async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
}

test("ready only if every check is; the answer names what is not; a check that throws is not", async () => {
  let problem: string | null = "the registry is unavailable";
  const get = await serve({ caches: () => null, registry: () => problem });
  expect(await get("/readyz")).toEqual([503, "[+] caches\n[-] registry: the registry is unavailable\nnot ok\n"]);
  problem = null;
  expect(await get("/readyz")).toEqual([200, "[+] caches\n[+] registry\nok\n"]);
  expect(await get("/healthz")).toEqual([200, "[+] process\nok\n"]);
});

test("a check that throws is a failed check, not a failed server", async () => {
  const get = await serve({ broken: () => Promise.reject(new Error("no route")) });
  expect(await get("/readyz")).toEqual([503, "[-] broken: no route\nnot ok\n"]);
});

test("serves metrics, and nothing else", async () => {
  const get = await serve({});
  expect(await get("/metrics")).toEqual([200, "up 1\n"]);
  expect((await get("/secrets"))[0]).toBe(404);
});
