import { request } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { LoaderClient } from "@rune/clients/loader/loader";
import { generateSigningKey } from "@rune/operator/credentials/keys";
import { loaderToken } from "@rune/operator/credentials/loader-token";
import { registryJWKS } from "@rune/operator/credentials/registry-token";
import { expect, test } from "vitest";
import { type Sidecar, startSidecar } from "../workloads/adapter-loader/src/sidecar.ts";
import { FakeRegistry } from "../workloads/adapter-loader/src/testing/fake-registry.ts";
import { adapterArtifact, baseDigest, peft, rank, type TestArtifact } from "../workloads/adapter-loader/src/testing/fixtures.ts";
import { type Body, combinations, type Path, paths, plainBody, singles, tellingValues, textOf } from "./support/fuzz-requests.ts";
import { type VllmEngine, withVllmEngine } from "./support/vllm-engine.ts";

/** Another seed tries other combinations: `RUNE_FUZZ_SEED=7 npm test -- fuzz`. */
const seed = Number(process.env.RUNE_FUZZ_SEED ?? 1);
const secondsPerEngine = Number(process.env.RUNE_FUZZ_SECONDS ?? 20);
/** However slow the machine is: the significant values come first. */
const fewest = Number(process.env.RUNE_FUZZ_REQUESTS ?? 96);
const batchSize = 32;

test.for([1, 2])(
  "no request that the API lets through ends an engine with %s pipeline stage(s)",
  { timeout: 1_200_000 },
  async (stages) => {
    await withVllmEngine(stages, async (laboratory) => {
      const door = await openDoor(laboratory);
      try {
        const tried = await fuzz(door, laboratory, await requestsFor(door, laboratory));
        console.log(`${stages} stage(s): ${tried.total} requests, ${JSON.stringify(tried.statuses)}`);
        for (const failure of tried.failures) console.log(failure);
        expect(tried.failures).toEqual([]);
        expect(tried.statuses["200"]).toBeGreaterThan(fewest / 10);
        expect(tried.statuses["400"]).toBeGreaterThan(fewest / 10);
      } finally {
        await door.close();
      }
    });
  },
);

type Door = { url: string; adapter: string; sidecar: Sidecar; admin: LoaderClient; close(): Promise<void> };

/** The real loader before the engine, with one adapter loaded. */
async function openDoor(laboratory: VllmEngine): Promise<Door> {
  const key = await generateSigningKey();
  const registry = new FakeRegistry();
  const { baseName, url, modelDirectory, adapterDirectory, slots, maxRank } = laboratory;
  const config = {
    base: { name: baseName, path: modelDirectory, digest: baseDigest },
    ...{ engineURL: url, registryURL: await registry.start(), adapterDirectory, slots, maxRank },
    adminKeys: registryJWKS(key) as { keys: Record<string, unknown>[] },
  };
  const ports = { inference: 0, admin: 0, metrics: 0 };
  const sidecar = await startSidecar(config, {
    podUID: "laboratory",
    log: { info: () => undefined, error: () => undefined },
    ports,
    drainMilliseconds: 1_000,
  });
  const close = async () => {
    await sidecar.stop();
    await registry.stop();
  };
  const admin = new LoaderClient({
    address: `http://127.0.0.1:${sidecar.ports.admin}`,
    token: () => loaderToken(key, "laboratory", Date.now()),
  });
  const artifact = laboratoryAdapter();
  registry.add(artifact);
  await expect.poll(() => sidecar.health.ready, { timeout: 60_000 }).toBe(true);
  const { adapters } = await admin.load(artifact.name, artifact.request);
  expect(adapters).toMatchObject([{ name: artifact.name, state: "Loaded" }]);
  return { url: `http://127.0.0.1:${sidecar.ports.inference}`, adapter: artifact.name, sidecar, admin, close };
}

/** An adapter for the laboratory's model, strong enough to change its answers. */
function laboratoryAdapter(): TestArtifact {
  const targetModules = ["down_proj"];
  const pairs = [0, 1, 2, 3].flatMap((layer) => {
    const path = `base_model.model.model.layers.${layer}.mlp.down_proj`;
    const values = (index: number) => Math.sin(index + layer) / 2;
    return [
      [`${path}.lora_A.weight`, { shape: [rank, 256], values }] as const,
      [`${path}.lora_B.weight`, { shape: [128, rank], values }] as const,
    ];
  });
  const artifact = adapterArtifact({
    tensors: Object.fromEntries(pairs),
    peft: peft({ target_modules: targetModules }),
    config: { targetModules },
  });
  return { ...artifact, request: { ...artifact.request, targetModules } };
}

type Sent = { path: Path; body: Body; breakOff: boolean };

/**
 * The requests, in this order: documented fields one by one with significant values, many at once, and odd values of
 * all, as far as the time allows.
 */
async function requestsFor({ adapter }: Door, { url, baseName }: VllmEngine): Promise<Sent[]> {
  const fields = await documentedFields(url);
  const models = [baseName, adapter];
  const of = (make: (path: Path, model: string, names: readonly string[]) => Body[]) =>
    paths.flatMap((path) => make(path, "", fields[path]).map((body, index) => sent(path, body, models[index % 2] ?? baseName, index)));
  const one = of(singles);
  const isTelling = ({ path, body }: Sent) => {
    const plain = plainBody(path, "");
    return Object.entries(body).some(([name, value]) => name !== "model" && value !== plain[name] && tellingValues[name]?.includes(value));
  };
  const many = of((path, model, names) => combinations(path, model, names, { seed, count: 300 }));
  return [...shuffled(one.filter(isTelling)), ...shuffled(many), ...shuffled(one.filter((each) => !isTelling(each)))];
}

function sent(path: Path, body: Body, model: string, index: number): Sent {
  const named = body.model === '""' ? { ...body, model: JSON.stringify(model) } : body;
  return { path, body: named, breakOff: index % 7 === 3 };
}

/** The same order for the same seed. */
function shuffled<Value>(values: readonly Value[]): Value[] {
  const place = (index: number) => Math.imul(index + 1 + seed * 7919, 0x9e3779b1) >>> 0;
  return values
    .map((value, index) => [place(index), value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}

type Schema = { properties?: Record<string, unknown> };
type OpenAPI = {
  paths: Record<string, { post: { requestBody: { content: { "application/json": { schema: { $ref: string } } } } } }>;
  components: { schemas: Record<string, Schema> };
};

/** Fields of the admitted paths, from the engine's own documentation. */
async function documentedFields(url: string): Promise<Record<Path, string[]>> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenAPI;
  const of = (path: Path) => {
    const reference = document.paths[path]?.post.requestBody.content["application/json"].schema.$ref.split("/").at(-1) ?? "";
    return Object.keys(document.components.schemas[reference]?.properties ?? {});
  };
  const fields = { "/v1/chat/completions": of("/v1/chat/completions"), "/v1/completions": of("/v1/completions") };
  for (const path of paths) expect(fields[path].length, `documented fields of ${path}`).toBeGreaterThan(30);
  return fields;
}

type Tried = { total: number; statuses: Record<string, number>; failures: string[] };

async function fuzz(door: Door, laboratory: VllmEngine, requests: readonly Sent[]): Promise<Tried> {
  const tried: Tried = { total: 0, statuses: {}, failures: [] };
  const before = await vitalSigns(door, laboratory);
  const until = Date.now() + secondsPerEngine * 1_000;
  for (let from = 0; from < requests.length && (tried.total < fewest || Date.now() < until); from += batchSize) {
    const batch = requests.slice(from, from + batchSize);
    await Promise.all(
      batch.map(async (each) => {
        const status = await send(door.url, each);
        tried.total++;
        tried.statuses[status] = (tried.statuses[status] ?? 0) + 1;
        if (status.startsWith("5") && !isLateRefusal(each))
          tried.failures.push(`${status} ${each.path} ${textOf(each.body).slice(0, 300)}`);
      }),
    );
    const after = await vitalSigns(door, laboratory).catch((error: Error) => error.message);
    if (isDeepStrictEqual(after, before)) continue;
    const sent = batch.map(({ path, body }) => `${path} ${textOf(body).slice(0, 200)}`).join("\n");
    tried.failures.push(`was ${JSON.stringify(before)}, is ${JSON.stringify(after)} after\n${sent}\n${laboratory.said()}`);
    break;
  }
  return tried;
}

/**
 * vLLM detects only in the engine that a grammar or regular expression can't be compiled: it returns 500, and survives.
 */
const isLateRefusal = ({ body }: Sent) => /^\{"(grammar|regex)":/.test(body.structured_outputs ?? "");

/** The same process, sound, with the same answers as before. */
async function vitalSigns({ url, adapter, admin, sidecar }: Door, { baseName, ended }: VllmEngine): Promise<object> {
  if (ended()) throw new Error("the engine's process has ended");
  const text = async (model: string) => {
    const body = JSON.stringify({ model, prompt: "write a program that adds", max_tokens: 8, temperature: 0 });
    const answer = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(90_000),
    });
    return [answer.status, ((await answer.json()) as { choices?: { text: string }[] }).choices?.[0]?.text];
  };
  const answers = [await text(baseName), await text(adapter)];
  return { bootID: (await admin.state()).engine.bootID, spoilt: sidecar.health.spoilt, answers };
}

const patience = 20_000;

/** The response's status, or `broken off` if the client disconnected, as planned or after a time-out. */
function send(url: string, { path, body, breakOff }: Sent): Promise<string> {
  return new Promise((resolve) => {
    const asking = request(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" } });
    const giveUp = setTimeout(() => asking.destroy(new Error("waited enough")), patience);
    let status = "broken off";
    asking.on("response", (answer) => {
      status = String(answer.statusCode);
      answer.on("data", () => breakOff && answer.destroy()).on("error", () => undefined);
      answer.on("close", () => {
        if (!answer.complete && status === "200") status = "broken off";
      });
    });
    asking.on("error", () => undefined);
    asking.on("close", () => {
      clearTimeout(giveUp);
      setImmediate(() => resolve(status));
    });
    asking.end(textOf(body));
  });
}
