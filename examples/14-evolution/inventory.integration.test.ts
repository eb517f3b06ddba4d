import { execFileSync } from "node:child_process";
import { appendFileSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "@rune/clients/registry/registry";
import { removeService, type Service, startRegistry } from "@rune/clients/testing/services";
import { mediaType } from "@rune/crds/contracts/artifact";
import { generateKeys } from "@rune/operator/credentials/keys";
import { registryToken } from "@rune/operator/credentials/registry-token";
import { afterAll, beforeAll, expect, test } from "vitest";
import { comparisonOf, inventoryIn, listing } from "./inventory.ts";

/** The listing of a real registry's storage, by the command that runs in its pod. */
const minutes = 60_000;
const repository = "rune/evolution/adapters";

let service: Service;
let registry: Registry;
beforeAll(async () => {
  const keys = await generateKeys();
  service = await startRegistry(keys["registry.jwks"] ?? "");
  const grant = { subject: "test", access: [{ repository, actions: ["pull", "push"] as const }], seconds: 600 };
  registry = new Registry({ url: service.url, token: await registryToken(JSON.parse(keys["registry.jwk"] ?? ""), grant) });
}, 10 * minutes);
afterAll(() => removeService(service));

const push = (text: string, tag?: string) =>
  registry.push({
    repository,
    artifactType: mediaType.adapter,
    config: { text },
    configMediaType: mediaType.adapter,
    files: [{ title: "adapter.bin", mediaType: mediaType.adapterFile, bytes: Buffer.from(text) }],
    ...(tag && { tag }),
  });
const storage = () => join(service.directory, "data");
const look = () => {
  const [program = "", ...words] = listing(storage());
  return inventoryIn(execFileSync(program, words, { encoding: "utf8" }));
};

test("everything that a registry holds is listed, and what is added, changed, lost or damaged is told apart", {
  timeout: minutes,
}, async () => {
  await push("one", "first");
  await push("two");
  const before = look();
  // Config and file of each, and their manifests.
  expect(comparisonOf(before, before)).toMatchObject({ before: { blobs: 6, manifests: 2, tags: 1 }, changed: [], damaged: [] });

  const { digest } = await push("three", "second");
  await push("one", "first");
  expect(comparisonOf(before, look())).toMatchObject({ after: { blobs: 9, manifests: 3, tags: 2 }, changed: [], damaged: [] });

  await push("three", "first");
  const tag = "repositories/rune/evolution/adapters/_manifests/tags/first/current/link";
  expect(comparisonOf(before, look()).changed).toEqual([tag]);

  const hex = digest.slice("sha256:".length);
  const blob = `blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  appendFileSync(join(storage(), "docker/registry/v2", blob), " ");
  expect(comparisonOf(before, look()).damaged).toEqual([blob]);

  const whole = look();
  expect(comparisonOf(whole, whole).damaged).toEqual([]);
  const revisions = join(storage(), "docker/registry/v2/repositories", repository, "_manifests/revisions/sha256");
  rmSync(join(revisions, globSync("*", { cwd: revisions })[0] ?? ""), { recursive: true });
  expect(comparisonOf(whole, look()).changed).toHaveLength(1);
});

test("a line that isn't a file's hash and path is refused", () => {
  expect(() => inventoryIn("find: ‘/var/lib/registry/docker’: No such file or directory")).toThrow(/can't be read/);
});
