import { request as httpRequest } from "node:http";
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { adapterArtifact } from "./testing/fixtures.ts";
import { sidecarBed, textOf } from "./testing/sidecar-bed.ts";

const bed = sidecarBed();
const { ask, inFlight, load, wanting } = bed;

describe("the inference port", () => {
  const get = (path: string) => fetch(`http://127.0.0.1:${bed.sidecar.ports.inference}${path}`);

  it("passes chat, completions and streams on", async () => {
    expect(await textOf(await ask("tiny"))).toBe(" the knife");
    expect((await ask("tiny", { messages: [] }, "/v1/chat/completions")).status).toBe(200);
    const stream = await ask("tiny", { stream: true });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    expect(await stream.text()).toContain("data: [DONE]");
  });

  it.each([
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/v1/embeddings",
    "/collective_rpc",
    "/sleep",
    "/metrics",
    "/v1//completions",
    "/v1/completions/../load_lora_adapter",
  ])("never passes %s on", async (path) => {
    const before = [bed.engine.loads.length, bed.engine.unloads.length];
    expect((await ask("tiny", { lora_name: "x", lora_path: "/x" }, path)).status).toBe(404);
    expect([bed.engine.loads.length, bed.engine.unloads.length]).toEqual(before);
  });

  it.each(["gpt-4", "tessera", "tessera-0123456789abcde", "Tessera-0123456789abcdef"])("has no model %s, now or later", async (name) => {
    expect((await ask(name)).status).toBe(404);
  });

  it("lists the base and what is routable", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    bed.engine.smuggle("stray", "/elsewhere");
    const { data } = (await (await get("/v1/models")).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(["tiny", artifact.name]);
  });

  it("ends a request whose client has gone", async () => {
    bed.engine.hold();
    const client = new AbortController();
    const asking = fetch(`http://127.0.0.1:${bed.sidecar.ports.inference}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", prompt: "p" }),
      signal: client.signal,
    }).catch(() => undefined);
    await expect.poll(inFlight).toBe("1");
    client.abort();
    await asking;
    await expect.poll(inFlight).toBe("0");
  });

  it("refuses what would do the engine harm, by the field's name", async () => {
    const answer = await ask("tiny", { vllm_xargs: { a: 1 } });
    const error = { message: expect.stringContaining("vllm_xargs"), type: "BadRequestError", param: "vllm_xargs", code: 400 };
    expect([answer.status, await answer.json()]).toEqual([400, { error }]);
  });

  it("wants a model's name and JSON", async () => {
    expect((await ask(undefined)).status).toBe(400);
    expect((await ask(7)).status).toBe(400);
    const answer = await fetch(`http://127.0.0.1:${bed.sidecar.ports.inference}/v1/completions`, { method: "POST", body: "no json" });
    expect(((await answer.json()) as { error: { message: string } }).error.message).toContain("`model`");
  });

  it("reads no more bodies at once than it has memory for, and goes on when their clients have gone", async () => {
    const large = { "content-type": "application/json", "content-length": 16 * 1024 * 1024 };
    const open = Array.from({ length: 8 }, () => {
      const path = `http://127.0.0.1:${bed.sidecar.ports.inference}/v1/completions`;
      const client = httpRequest(path, { method: "POST", headers: large }).on("error", () => undefined);
      client.flushHeaders();
      return client;
    });
    await expect.poll(async () => (await ask("tiny")).status).toBe(429);
    const refused = await ask("tiny");
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await refused.json()).toMatchObject({ error: { message: "too many large requests are open", code: 429 } });
    for (const client of open) client.destroy();
    await expect.poll(async () => (await ask("tiny")).status).toBe(200);
  });

  it("counts a body whose length wasn't declared as what it is, once it is read", async () => {
    const answer = bed.engine.hold();
    const path = `http://127.0.0.1:${bed.sidecar.ports.inference}/v1/completions`;
    const undeclared = () =>
      fetch(path, { method: "POST", body: new Blob(['{"model":"tiny","prompt":"p"}']).stream(), duplex: "half" } as RequestInit);
    const open: Promise<Response>[] = [];
    for (let count = 1; count <= 12; count += 1) {
      open.push(undeclared());
      await expect.poll(inFlight).toBe(String(count));
    }
    answer();
    expect((await Promise.all(open)).map(({ status }) => status)).toEqual(Array(12).fill(200));
  });

  it.runIf(Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1")))(
    "is reached over IPv6 as over IPv4",
    async () => {
      for (const host of ["127.0.0.1", "[::1]"])
        expect((await fetch(`http://${host}:${bed.sidecar.ports.metrics}/healthz`)).status, host).toBe(200);
    },
  );

  it("counts what happened for Prometheus", async () => {
    await load(adapterArtifact());
    await (await ask("tiny")).text();
    const text = await (await fetch(`http://127.0.0.1:${bed.sidecar.ports.metrics}/metrics`)).text();
    expect(text).toContain('rune_loader_adapters{state="Loaded"} 1');
    expect(text).toContain("rune_loader_engine_ready 1");
    expect(text).toContain('rune_loader_request_seconds_count{path="/v1/completions",status="200"} 1');
    expect(text).toContain('rune_loader_canaries_total{result="Matched"} 1');
  });

  it("is ready when the engine and every wanted adapter are, and alive anyway", async () => {
    const page = (path: string) => fetch(`http://127.0.0.1:${bed.sidecar.ports.metrics}${path}`);
    await expect.poll(async () => (await page("/readyz")).status).toBe(200);
    const open = bed.registry.hold();
    const loading = load(adapterArtifact());
    await expect.poll(async () => (await bed.admin.state()).adapters[0]?.state).toBe("Staging");
    expect((await page("/readyz")).status).toBe(200);
    expect((await page("/spoilt")).status).toBe(404);
    open();
    await loading;
    await bed.engine.stop();
    await expect.poll(async () => (await page("/readyz")).status).toBe(503);
    expect((await page("/healthz")).status).toBe(200);
    expect((await get("/health")).status).toBe(503);
  });
});

describe("an adapter that isn't here", () => {
  const invented = "tessera-0123456789abcdef";

  it("is told to the operator once, however many ask for it, and they are answered when it is loaded", async () => {
    const artifact = adapterArtifact();
    const watching = bed.admin.wanted(0);
    const asking = [1, 2, 3].map(() => ask(artifact.name));
    expect(await watching).toMatchObject({ wanted: [artifact.name] });
    await wanting(artifact.name);
    await load(artifact);
    expect(await Promise.all(asking.map(async (each) => await textOf(await each)))).toEqual([" pare(x)", " pare(x)", " pare(x)"]);
    expect(bed.engine.loads).toEqual([artifact.name]);
    await wanting();
  });

  it("is waited for while it is on its way", async () => {
    const artifact = adapterArtifact();
    const open = bed.registry.hold();
    const loading = load(artifact);
    const asking = ask(artifact.name);
    await wanting(artifact.name);
    open();
    await loading;
    expect((await asking).status).toBe(200);
  });

  it("that doesn't exist is a 404 with the operator's words, remembered for a while", async () => {
    const asking = ask(invented);
    await wanting(invented);
    await bed.admin.answer(invented, { message: "there is no such Adapter" });
    const error = { message: "there is no such Adapter", type: "NotFoundError", param: null, code: 404 };
    expect([(await asking).status, await (await asking).json()]).toEqual([404, { error }]);
    expect((await ask(invented)).status).toBe(404);
  });

  it("that can't be loaded now is a 503 that says when to come back, on a new connection", async () => {
    const asking = ask(invented);
    await wanting(invented);
    await bed.admin.answer(invented, { message: "all slots are in use", retrySeconds: 7 });
    const { status, headers } = await asking;
    expect([status, headers.get("retry-after"), headers.get("connection")]).toEqual([503, "7", "close"]);
  });

  it("and is refused when it comes is a 404 with the reason", async () => {
    const artifact = adapterArtifact({ weights: Buffer.from("truncated") });
    const asking = ask(artifact.name);
    await wanting(artifact.name);
    await load(artifact);
    expect([(await asking).status, await (await asking).text()]).toEqual([404, expect.stringContaining("NotAnAdapter")]);
  });

  it("and wasn't in the registry is asked for again, because it may have been restored", async () => {
    const artifact = adapterArtifact();
    await bed.admin.load(artifact.name, artifact.request);
    expect((await bed.admin.state()).adapters[0]).toMatchObject({ reason: "ArtifactMissing" });
    bed.ahead = 6_000;
    const asking = ask(artifact.name);
    await wanting(artifact.name);
    await load(artifact);
    expect((await asking).status).toBe(200);
  });

  it("isn't wanted any more when its clients have gone", async () => {
    const client = new AbortController();
    const body = JSON.stringify({ model: invented, prompt: "p" });
    const url = `http://127.0.0.1:${bed.sidecar.ports.inference}/v1/completions`;
    const asking = fetch(url, { method: "POST", body, signal: client.signal }).catch(() => undefined);
    await wanting(invented);
    client.abort();
    await asking;
    await wanting();
  });

  it("keeps nobody waiting when the pod ends", async () => {
    const asking = ask(invented);
    await wanting(invented);
    const stopping = bed.sidecar.stop();
    expect((await asking).status).toBe(503);
    await stopping;
  });

  it("is told with its use once it is here, so that the operator knows who may leave", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    await (await ask(artifact.name)).text();
    const [held] = (await bed.admin.state()).adapters;
    expect(held).toMatchObject({ open: 0, lastUsed: expect.stringMatching(/^20/) });
  });
});
