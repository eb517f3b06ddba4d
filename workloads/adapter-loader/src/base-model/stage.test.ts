import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJSON, modelDigest, sha256 } from "@rune/clients/registry/digest";
import { inTurn, json, reset, status, type TestServer, testClock, testServer } from "@rune/clients/testing/http-server";
import { mediaType, titleAnnotation } from "@rune/crds/contracts/artifact";
import type { StageJob } from "@rune/crds/contracts/stage";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeBase } from "../testing/fixtures.ts";
import type { Hub } from "./hugging-face.ts";
import { readMarker } from "./marker.ts";
import { stage } from "./stage.ts";

let directory: string;
let target: string;
let files: Record<string, Buffer>;
let identity: string;
let server: TestServer | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "rune-stage-"));
  target = join(directory, "models/base");
  await writeBase(join(directory, "volume/tiny"));
  await writeFile(join(directory, "volume/tiny/tokenizer.json"), "{}");
  files = Object.fromEntries(
    await Promise.all(
      ["config.json", "model.safetensors", "tokenizer.json"].map(async (name) => [
        name,
        await readFile(join(directory, "volume/tiny", name)),
      ]),
    ),
  );
  identity = modelDigest(listed());
});
afterEach(() => server?.close());

const listed = () =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, { sha256: sha256(bytes).slice(7), sizeBytes: bytes.length }]));
const run = (job: Omit<StageJob, "target">, url = "http://127.0.0.1:9", proxy?: Hub["proxy"]) =>
  stage({ ...job, target }, { url, ...(proxy && { proxy }), clock: testClock() }, new AbortController().signal);
/** An HTTP proxy that records which hosts it is asked for. */
async function forwardProxy() {
  const asked: string[] = [];
  const proxy = createServer((asking, answer) => {
    const url = new URL(asking.url ?? "");
    asked.push(url.host);
    const { method, headers } = asking;
    asking.pipe(request(url, { method, headers }, (found) => found.pipe(answer.writeHead(found.statusCode ?? 502, found.headers))));
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

/** Root may read everything. */
async function withoutPrivileges<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await work();
  await chmod(directory, 0o777);
  process.seteuid?.(65_532);
  return await work().finally(() => process.seteuid?.(0));
}

const visible = async () => (await readdir(target)).filter((name) => !name.startsWith("."));

describe("from a volume", () => {
  it("links the files and gives their identity", async () => {
    expect(await run({ base: { pvc: { path: join(directory, "volume/tiny") } } })).toEqual({ digest: identity, name: "volume/tiny" });
    expect(await readlink(join(target, "config.json"))).toBe(join(directory, "volume/tiny/config.json"));
    expect(Object.keys((await readMarker(target))?.shapes ?? {})).toHaveLength(4);
  });

  it("keeps what is staged already, without reading it again", async () => {
    const job = { base: { pvc: { path: join(directory, "volume/tiny") } } };
    await run(job);
    await writeFile(join(directory, "volume/tiny/tokenizer.json"), "changed");
    expect(await run(job)).toEqual({ digest: identity, name: "volume/tiny" });
  });

  it("stages again what a power failure left with an empty marker", async () => {
    const job = { base: { pvc: { path: join(directory, "volume/tiny") } } };
    await run(job);
    await writeFile(join(target, ".rune-staged"), "");
    expect(await readMarker(target)).toBeUndefined();
    expect(await run(job)).toEqual({ digest: identity, name: "volume/tiny" });
    expect(await readMarker(target)).toMatchObject({ digest: identity });
  });

  it("takes a model from the root of a volume, without what isn't the model's", async () => {
    for (const name of ["lost+found", ".Trash-0"]) {
      await mkdir(join(directory, "volume/tiny", name));
      await writeFile(join(directory, "volume/tiny", name, "old.safetensors"), "old");
      await chmod(join(directory, "volume/tiny", name), 0);
    }
    await mkdir(join(directory, "volume/tiny/more"));
    await writeFile(join(directory, "volume/tiny/more/vocab.json"), "{}");
    files["more/vocab.json"] = Buffer.from("{}");
    const job = { base: { pvc: { path: `${directory}/volume/tiny/.` } } };
    expect(await withoutPrivileges(() => run(job))).toMatchObject({ digest: modelDigest(listed()) });
    expect(await readlink(join(target, "more/vocab.json"))).toBe(join(directory, "volume/tiny/more/vocab.json"));
  });

  it("names a directory of the model that it may not read", async () => {
    await mkdir(join(directory, "volume/tiny/secret"), { mode: 0 });
    const staging = withoutPrivileges(() => run({ base: { pvc: { path: join(directory, "volume/tiny") } } }));
    await expect(staging).rejects.toMatchObject({
      reason: "NotAModel",
      code: 65,
      message: expect.stringContaining(`can't read the directory ${join(directory, "volume/tiny/secret")} `),
    });
  });

  it("refuses files that are not the expected ones", async () => {
    const job = { base: { pvc: { path: join(directory, "volume/tiny") } }, expectedDigest: sha256("others") };
    await expect(run(job)).rejects.toMatchObject({ reason: "BaseDigestMismatch", code: 65 });
    expect(await readMarker(target)).toBeUndefined();
  });

  it("refuses a base whose packed layers aren't known, by the name of its quantization", async () => {
    await writeFile(join(directory, "volume/tiny/config.json"), JSON.stringify({ quantization_config: { quant_method: "aqlm" } }));
    const staging = run({ base: { pvc: { path: join(directory, "volume/tiny") } } });
    await expect(staging).rejects.toMatchObject({
      reason: "QuantizationUnsupported",
      code: 65,
      message: expect.stringContaining("aqlm"),
    });
    expect(await readMarker(target)).toBeUndefined();
  });

  it("refuses a directory that isn't there or holds no model", async () => {
    await expect(run({ base: { pvc: { path: join(directory, "nowhere") } } })).rejects.toMatchObject({ reason: "NotAModel" });
    await expect(run({ base: { pvc: { path: join(directory, "volume") } } })).rejects.toMatchObject({ reason: "NotAModel" });
  });
});

describe("from the registry", () => {
  const artifact = (config: object = {}) => {
    const configBytes = canonicalJSON({ schema: "rune.dev/model/v1", name: "tiny", digest: identity, files: listed(), ...config });
    const layers = Object.entries(files).map(([title, bytes]) => ({
      mediaType: mediaType.modelFile,
      digest: sha256(bytes),
      size: bytes.length,
      annotations: { [titleAnnotation]: title },
    }));
    const manifest = canonicalJSON({
      schemaVersion: 2,
      artifactType: mediaType.model,
      config: { mediaType: mediaType.model, digest: sha256(configBytes), size: configBytes.length },
      layers,
    });
    return {
      digest: sha256(manifest),
      blobs: new Map([manifest, configBytes, ...Object.values(files)].map((bytes) => [sha256(bytes), bytes])),
    };
  };
  const pull = async ({ digest, blobs }: ReturnType<typeof artifact>) => {
    server = await testServer((seen, response) => {
      const bytes = blobs.get(seen.path.split("/").at(-1) ?? "");
      response.writeHead(bytes ? 200 : 404).end(bytes);
    });
    await writeFile(join(directory, "token"), "secret\n");
    return await run({
      base: { oci: { repository: "rune/models/tiny", digest } },
      registry: { url: server.url, tokenFile: join(directory, "token") },
    });
  };

  it("pulls every file by digest and gives the identity that the artifact says", async () => {
    expect(await pull(artifact())).toEqual({ digest: identity, name: "tiny" });
    expect(await readFile(join(target, "model.safetensors"))).toEqual(files["model.safetensors"]);
    expect(server?.requests[0]?.headers.authorization).toBe("Bearer secret");
  });

  it("doesn't pull again what an interrupted attempt finished", async () => {
    const model = artifact();
    await writeFile(join(directory, "x"), "");
    await expect(
      pull({ ...model, blobs: new Map([...model.blobs].filter(([digest]) => digest !== sha256(files["tokenizer.json"] ?? ""))) }),
    ).rejects.toThrow();
    await server?.close();
    await pull(model);
    expect(server?.requests.filter(({ path }) => path.includes("/blobs/"))).toHaveLength(2);
  });

  it("removes what attempts that were killed had downloaded in part", async () => {
    await mkdir(target, { recursive: true });
    await writeFile(join(target, ".model.safetensors.0123456789ab.partial"), "half of it");
    await pull(artifact());
    expect((await readdir(target)).toSorted()).toEqual([".rune-staged", "config.json", "model.safetensors", "tokenizer.json"]);
  });

  it("refuses a config whose identity or files are not those of the layers", async () => {
    await expect(pull(artifact({ digest: sha256("another") }))).rejects.toMatchObject({ reason: "NotAModel" });
    await server?.close();
    const { "tokenizer.json": _, ...fewer } = listed();
    await expect(pull(artifact({ files: fewer, digest: modelDigest(fewer) }))).rejects.toMatchObject({ reason: "NotAModel" });
  });

  it("never writes outside the target", async () => {
    files["../evil"] = Buffer.from("evil");
    await expect(pull(artifact({ files: listed(), digest: modelDigest(listed()) }))).rejects.toMatchObject({ reason: "NotAModel" });
    expect(await readdir(join(directory, "models")).catch(() => [])).not.toContain("evil");
  });
});

describe("from the Hugging Face hub", () => {
  const source = { repository: "org/tiny", revision: "0".repeat(40) };
  const siblings = () => [
    ...Object.entries(files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      ...(rfilename.endsWith(".safetensors") ? { lfs: { sha256: sha256(bytes).slice(7) } } : {}),
    })),
    { rfilename: "README.md", size: 3 },
    { rfilename: "pytorch_model.bin", size: 3 },
    { rfilename: "onnx/model.safetensors", size: 3 },
  ];
  const hub = async (faults: Record<string, Parameters<typeof inTurn>> = {}) => {
    const served = Object.fromEntries(
      Object.entries(files).map(([name, bytes]) => {
        const whole = (seen: { headers: { range?: string } }, response: import("node:http").ServerResponse) => {
          const from = Number(/bytes=(\d+)-/.exec(seen.headers.range ?? "")?.[1] ?? 0);
          response.writeHead(from ? 206 : 200).end(bytes.subarray(from));
        };
        return [name, inTurn(...(faults[name] ?? []), whole)];
      }),
    );
    server = await testServer((seen, response) => {
      if (seen.path.startsWith("/api/models/")) return json(200, { siblings: siblings() })(seen, response);
      const name = seen.path.split("/").at(-1) ?? "";
      return (served[name] ?? status(404))(seen, response);
    });
    return server.url;
  };

  it("downloads weights, configuration and tokenizer of the commit, and nothing else", async () => {
    expect(await run({ base: { huggingFace: source } }, await hub())).toEqual({ digest: identity, name: "org/tiny" });
    expect(await visible()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    expect(server?.requests[0]?.path).toBe(`/api/models/org/tiny/revision/${source.revision}?blobs=true`);
    expect(server?.requests[1]?.path).toBe(`/org/tiny/resolve/${source.revision}/config.json`);
  });

  it("goes on where a broken transfer stopped", async () => {
    const half = (_: unknown, response: import("node:http").ServerResponse) => {
      const bytes = files["model.safetensors"] as Buffer;
      response.writeHead(200, { "content-length": String(bytes.length) });
      response.write(bytes.subarray(0, 100));
      setTimeout(() => response.socket?.resetAndDestroy(), 100);
    };
    const url = await hub({ "model.safetensors": [half, reset, status(503)] });
    expect((await run({ base: { huggingFace: source } }, url)).digest).toBe(identity);
    const last = server?.requests.filter(({ path }) => path.endsWith("model.safetensors")).at(-1);
    expect(last?.headers.range).toBe("bytes=100-");
  });

  it("throws bytes away that the hub doesn't list, and asks for another try", async () => {
    const url = await hub({
      "model.safetensors": [(_, response) => void response.end(Buffer.alloc(files["model.safetensors"]?.length ?? 0))],
    });
    await expect(run({ base: { huggingFace: source } }, url)).rejects.toMatchObject({ reason: "DigestMismatch", code: 75 });
    expect(await visible()).toEqual(["config.json"]);
    expect((await run({ base: { huggingFace: source } }, url)).digest).toBe(identity);
  });

  it("is asked through a proxy where there is one, but for hosts that are excepted", async () => {
    await using proxy = await forwardProxy();
    const url = await hub();
    const { host } = new URL(url);
    expect((await run({ base: { huggingFace: source } }, url, { url: proxy.url, except: "" })).digest).toBe(identity);
    expect(new Set(proxy.asked)).toEqual(new Set([host]));
    proxy.asked.length = 0;
    await rm(target, { recursive: true });
    expect((await run({ base: { huggingFace: source } }, url, { url: proxy.url, except: "127.0.0.1" })).digest).toBe(identity);
    expect(proxy.asked).toEqual([]);
  });

  it.each([
    [404, "ModelMissing", 65],
    [401, "HubDenied", 65],
    [503, "HubUnavailable", 75],
  ])("says what %d means", async (code, reason, exitCode) => {
    server = await testServer(status(code));
    await expect(run({ base: { huggingFace: source } }, server.url)).rejects.toMatchObject({ reason, code: exitCode });
  });
});
