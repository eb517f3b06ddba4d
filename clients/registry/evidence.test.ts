import { mediaType } from "@rune/crds/contracts/artifact";
import type { Evidence } from "@rune/crds/contracts/evidence";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testClock } from "../testing/http-server.ts";
import { MemoryRegistry } from "../testing/memory-registry.ts";
import { sha256 } from "./digest.ts";
import { EvidenceTagTaken, evidenceTag, readEvidence, storeEvidence } from "./evidence.ts";
import { ArtifactMissing, Registry, RegistryUnavailable } from "./registry.ts";

const repository = "rune/team/adapters";
let memory: MemoryRegistry;
let registry: Registry;
let adapter: { name: string; digest: string };

const manifestOf = (config: unknown, more: object = {}) => {
  const { digest, size } = memory.put(config);
  return { schemaVersion: 2, config: { mediaType: mediaType.adapter, digest, size }, layers: [], ...more };
};
/** The parts of an adapter's artifact that evidence needs. */
function publish(name: string): { name: string; digest: string } {
  return { name, digest: memory.put(manifestOf({ name }, { artifactType: mediaType.adapter })).digest };
}

beforeEach(async () => {
  memory = await MemoryRegistry.start();
  registry = new Registry({ url: memory.url, clock: testClock() });
  adapter = publish("tessera");
});
afterEach(() => memory.stop());

type By = Partial<Evidence["by"]>;
const header = (uid: string, time: string, by: By = {}) => ({
  schema: "rune.dev/evidence/v1" as const,
  adapter,
  by: { kind: "Evaluation" as const, namespace: "team", name: `e-${uid}`, uid, ...by },
  time,
});
const measured = (uid: string, time = "2026-03-01T00:00:00Z"): Evidence => ({
  kind: "Evaluation",
  ...header(uid, time),
  passAt1: { estimate: 0.5, lower: 0.4, upper: 0.6 },
});
const archived = (uid: string): Evidence => ({
  kind: "Archival",
  ...header(uid, "2026-03-02T00:00:00Z", { kind: "Person" }),
  why: "replaced",
});
const writes = () => memory.requests.filter((request) => /^(PUT|POST|PATCH|DELETE)/.test(request));
/** A manifest that claims to be evidence, under the tag of `claimed`. */
function forge(claimed: Evidence, more: { config?: unknown; subject?: string; artifactType?: string } = {}): string {
  const subject = { mediaType: mediaType.manifest, digest: more.subject ?? adapter.digest, size: 1 };
  const artifactType = more.artifactType ?? mediaType.evidence;
  const tag = evidenceTag(adapter.digest, claimed.kind, claimed.by.uid);
  return memory.put(manifestOf(more.config ?? claimed, { artifactType, subject }), tag).digest;
}

it("a tag is the adapter, the kind and who decided", () => {
  const digest = `sha256:3f2a9c4be1d07856${"0".repeat(48)}`;
  expect(evidenceTag(digest, "Promotion", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d")).toBe(
    "3f2a9c4be1d07856.promotion.9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
  );
});

it("evidence is a manifest without files about the adapter's, whose config is canonical JSON", async () => {
  const stored = await storeEvidence(registry, repository, measured("u1"));
  const { manifest } = await registry.manifest(repository, stored.digest);
  const { digest, size, mediaType: type } = await registry.descriptor(repository, adapter.digest);
  expect(manifest).toMatchObject({
    artifactType: mediaType.evidence,
    config: { mediaType: mediaType.evidence },
    layers: [{ mediaType: mediaType.empty, digest: sha256("{}"), size: 2 }],
    subject: { mediaType: type, digest, size },
  });
  expect(size).toBe(memory.snapshot().get(adapter.digest)?.length);
  expect((await registry.blob(repository, manifest.config.digest, { maxBytes: 1000 })).toString()).toMatch(/^\{"adapter":\{"digest"/);
  expect(await registry.resolveTag(repository, evidenceTag(adapter.digest, "Evaluation", "u1"))).toBe(stored.digest);
});

it("is stored once: a second try, at another time, adopts the first and writes nothing", async () => {
  const first = await storeEvidence(registry, repository, measured("u1"));
  memory.requests.length = 0;
  expect(await storeEvidence(registry, repository, measured("u1", "2026-03-01T00:05:00Z"))).toEqual(first);
  expect(writes()).toEqual([]);
});

it("overwrites nothing of others: a tag that leads elsewhere is an error in words", async () => {
  const other = publish("other");
  memory.put(manifestOf({}, { artifactType: "application/x" }), evidenceTag(adapter.digest, "Evaluation", "u1"));
  forge(measured("u2"), { config: measured("u3") });
  forge(measured("u4"), { config: { ...measured("u4"), adapter: other } });
  const before = memory.snapshot();
  for (const [uid, why] of [
    ["u1", "its artifactType is application/x"],
    ["u2", `it is the evidence ${evidenceTag(adapter.digest, "Evaluation", "u3")}`],
    ["u4", `it says that it is about ${other.digest}`],
  ] as const) {
    const stored = storeEvidence(registry, repository, measured(uid));
    await expect(stored).rejects.toThrow(EvidenceTagTaken);
    await expect(stored).rejects.toThrow(`${why}; nothing was overwritten`);
  }
  expect(memory.snapshot()).toEqual(before);
});

it("needs the adapter's own manifest, and a registry that answers", async () => {
  memory.lose(adapter.digest);
  await expect(storeEvidence(registry, repository, measured("u1"))).rejects.toThrow(ArtifactMissing);
  memory.away = true;
  await expect(storeEvidence(registry, repository, measured("u1"))).rejects.toThrow(RegistryUnavailable);
  await expect(readEvidence(registry, repository, adapter.digest)).rejects.toThrow(RegistryUnavailable);
});

it("leaves the registry byte for byte what it was, plus new manifests and their configs", async () => {
  const before = memory.snapshot();
  for (const evidence of [measured("u1"), measured("u2"), archived("u3"), measured("u1")])
    await storeEvidence(registry, repository, evidence);
  const after = memory.snapshot();
  for (const [name, bytes] of before) expect(after.get(name)).toEqual(bytes);
  const added = [...after.keys()].filter((name) => !before.has(name));
  expect(added.filter((name) => !name.startsWith("sha256:"))).toHaveLength(3);
  expect(added).toHaveLength(3 + 3 + 3 + 1);
});

describe.each([
  ["with a referrers API", true],
  ["without one", false],
])("in a registry %s", (_, hasReferrers) => {
  beforeEach(() => {
    memory.hasReferrers = hasReferrers;
  });
  const read = (known?: ReadonlyMap<string, Evidence>) => readEvidence(registry, repository, adapter.digest, known);

  it("an adapter without evidence has none", async () => {
    expect(await read()).toEqual({ digest: sha256(""), evidence: [], ignored: [] });
  });

  it("all evidence of one adapter is found, page by page, and nothing of its neighbours'", async () => {
    const all = [measured("u1"), measured("u2"), archived("u3"), measured("u4"), measured("u5")];
    for (const evidence of all) await storeEvidence(registry, repository, evidence);
    const own = adapter;
    for (const name of ["a", "b", "c", "d"]) {
      adapter = publish(name);
      await storeEvidence(registry, repository, measured("u1"));
      memory.put(manifestOf({}), `run-${name}`);
    }
    adapter = own;
    for (const tag of ["0000000000000000.evaluation.x", "ffffffffffffffff.evaluation.x"]) memory.put(manifestOf({}), tag);
    const found = await read();
    expect(found.evidence.map(({ evidence }) => evidence)).toEqual([archived("u3"), ...all.filter(({ kind }) => kind === "Evaluation")]);
    expect(found.ignored).toEqual([]);
    expect(found.evidence.map(({ tag }) => tag)).toContain(evidenceTag(adapter.digest, "Archival", "u3"));
  });

  it("its digest changes with what there is, and only then", async () => {
    await storeEvidence(registry, repository, measured("u1"));
    const { digest } = await read();
    expect((await read()).digest).toBe(digest);
    await storeEvidence(registry, repository, archived("u2"));
    expect((await read()).digest).not.toBe(digest);
  });

  it("what isn't evidence about the adapter is ignored and told of, and keeps nobody from the rest", async () => {
    const other = publish("other");
    await storeEvidence(registry, repository, measured("good"));
    const forged = [
      forge(measured("u1"), { config: { schema: "rune.dev/evidence/v1", kind: "Wish" } }),
      forge(measured("u2"), { config: { ...measured("u2"), adapter: other } }),
      forge(measured("u3"), { config: { ...measured("u3"), passAt1: { estimate: "much" } } }),
    ];
    const lost = forge(measured("u4"));
    const { config } = JSON.parse(memory.snapshot().get(lost)?.toString() ?? "");
    memory.lose(config.digest);
    const found = await read();
    expect(found.evidence.map(({ evidence }) => evidence.by.uid)).toEqual(["good"]);
    const name = (digest: string, uid: string) => (hasReferrers ? digest : evidenceTag(adapter.digest, "Evaluation", uid));
    expect(found.ignored.map(({ tag }) => tag).toSorted()).toEqual(
      [...forged, lost].map((digest, n) => name(digest, `u${n + 1}`)).toSorted(),
    );
    for (const { why } of found.ignored) expect(why).toMatch(/config is no evidence|is about|has no/);
  });

  it("what is known isn't fetched again", async () => {
    await storeEvidence(registry, repository, measured("u1"));
    const first = await read();
    memory.requests.length = 0;
    expect(await read(new Map(first.evidence.map(({ digest, evidence }) => [digest, evidence])))).toEqual(first);
    expect(memory.requests.filter((request) => request.includes("/blobs/"))).toEqual([]);
    expect(memory.requests.filter((request) => request.includes("/manifests/sha256:"))).toEqual([]);
  });
});

it("by tags it reads no more of the list than the adapter's own part", async () => {
  for (let n = 0; n < 40; n++) memory.put(manifestOf({}), `${n < 20 ? "0" : "f"}${String(n).padStart(15, "0")}.evaluation.u`);
  await storeEvidence(registry, repository, measured("u1"));
  memory.requests.length = 0;
  expect((await readEvidence(registry, repository, adapter.digest)).evidence).toHaveLength(1);
  expect(memory.requests.filter((request) => request.includes("/tags/list"))).toHaveLength(1);
});

it("by referrers it takes one decision once, though two tries stored it at two times", async () => {
  memory.hasReferrers = true;
  const later = forge(measured("u1", "2026-03-01T00:05:00Z"));
  const first = forge(measured("u1"));
  const found = await readEvidence(registry, repository, adapter.digest);
  expect(found.evidence.map(({ digest }) => digest)).toEqual([first]);
  expect(found.ignored).toEqual([{ tag: later, why: expect.stringContaining("was decided before it") }]);
});

it("without a referrers API a manifest about another adapter is ignored, though its tag and config fit", async () => {
  forge(measured("u1"), { subject: publish("other").digest });
  forge(measured("u2"), { artifactType: "application/x" });
  const { evidence, ignored } = await readEvidence(registry, repository, adapter.digest);
  expect(evidence).toEqual([]);
  expect(ignored.map(({ why }) => why)).toEqual([expect.stringContaining("its subject is"), "its artifactType is application/x"]);
});
