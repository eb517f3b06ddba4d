import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import type { Structural } from "kopf-ts/manifests";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { customResourceDefinition, frozenFields, frozenMessage, rootSchema } from "./generate/definition.ts";
import type { KindDefinition } from "./kinds/kind.ts";
import { kinds } from "./kinds/kinds.ts";
import { type Mutation, mutationsOf } from "./testing/mutations.ts";
import { fullSamplesOf, type Manifest, refusedSamples, sampleOf, validSamples } from "./testing/samples.ts";
import { type Answer, connect, type Options, type Server, testKubeconfig } from "./testing/server.ts";
import { apiVersion, group, version } from "./words/group.ts";

const kubeconfig = testKubeconfig();
const namespace = `crds-${randomBytes(4).toString("hex")}`;
const dryRun = "?dryRun=All";

describe.skipIf(!kubeconfig)("on a real API server", { timeout: 60_000 }, () => {
  let server: Server;
  const made: KindDefinition[] = [];

  const pathOf = (kind: string) => `/apis/${apiVersion}/namespaces/${namespace}/${definitionOf(kind).plural}`;
  const create = (manifest: Manifest, query = "") => server.send("POST", pathOf(manifest.kind) + query, manifest);
  const read = async (kind: string, name: string) => (await server.send("GET", `${pathOf(kind)}/${name}`)).body;
  /** Creates the object unless an earlier test did, and returns it as stored. */
  const stored = async (manifest: Manifest) => {
    const answer = await create(manifest);
    expect([201, 409], answer.body.message).toContain(answer.code);
    return read(manifest.kind, manifest.metadata.name ?? "");
  };

  /** Updates an object. If an installed operator has written in between, retries with the current object. */
  const put = async (path: string, object: Manifest, change: object, options: Options = {}): Promise<Answer> => {
    for (let tries = 0, current = object; ; tries++) {
      const answer = await server.send("PUT", path, { ...current, ...change }, options);
      if (answer.code !== 409 || tries === 10) return answer;
      current = await read(object.kind, object.metadata.name ?? "");
    }
  };

  beforeAll(async () => {
    server = connect(kubeconfig as string);
    for (const kind of kinds) if ((await install(server, kind)) === "Created") made.push(kind);
    expect((await server.send("POST", "/api/v1/namespaces", { metadata: { name: namespace } })).code).toBe(201);
  }, 60_000);

  afterAll(async () => {
    await server.send("DELETE", `/api/v1/namespaces/${namespace}`);
    // Existing definitions are kept; those of this test would conflict with an installation by Helm.
    for (const kind of made) await server.send("DELETE", definitionPath(kind.plural));
  });

  test.each(kinds.map(({ kind, plural }) => [kind, plural]))("the schema of %s is accepted without complaint", async (_, plural) => {
    const { body } = await server.send("GET", definitionPath(plural));
    const conditions = Object.fromEntries(
      body.status.conditions.map(({ type, status }: { type: string; status: string }) => [type, status]),
    );
    expect(conditions).toMatchObject({ Established: "True", NamesAccepted: "True" });
    expect(conditions.NonStructuralSchema ?? "False").toBe("False");
  });

  test.each(validSamples().map(({ file, manifest }) => [file, manifest] as const))("%s is accepted whole", async (_, manifest) => {
    const answer = await create(manifest, `${dryRun}&fieldValidation=Strict`);
    expect(answer.code, answer.body.message).toBe(201);
    expect(answer.body.spec).toMatchObject(manifest.spec as object);
    expect(answer.body.status).toEqual({ observedGeneration: -1 });
  });

  test.each(refusedSamples().map(({ file, message, manifest }) => [file, message, manifest] as const))(
    "%s is refused: %s",
    async (_, message, manifest) => {
      const answer = await create(manifest, dryRun);
      expect(answer.code).toBe(422);
      expect(answer.body.message).toContain(message);
    },
  );

  describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (_, kind) => {
    const schema = rootSchema(kind).properties?.spec as Structural;
    const frozen = new Set(frozenFields(kind));

    const attempt = async (manifest: Manifest) => {
      const object = await stored(manifest);
      return { object, path: `${pathOf(kind.kind)}/${object.metadata.name}${dryRun}` };
    };

    for (const sample of [sampleOf(kind.kind, "minimal"), ...fullSamplesOf(kind.kind)]) {
      const { name } = sample.metadata;
      const mutations = mutationsOf(schema, kind.spec.parse(sample.spec));

      test.each(mutations.filter(({ field }) => frozen.has(field)).map((mutation) => [mutation.name, mutation] as const))(
        `${name}: "%s" is refused, because it is frozen`,
        async (_name, mutation) => {
          const { object, path } = await attempt(sample);
          const answer = await put(path, object, { spec: mutation.spec });
          expectFrozen(answer, kind, mutation.field);
        },
      );

      test.each(mutations.filter(({ field }) => !frozen.has(field)).map((mutation) => [mutation.name, mutation] as const))(
        `${name}: "%s" is accepted or refused by a rule of the kind, never as frozen`,
        async (_name, mutation) => {
          const { object, path } = await attempt(sample);
          const answer = await put(path, object, { spec: mutation.spec });
          expectChanged(answer, kind, mutation, object.spec);
        },
      );
    }

    /** Not in a list, because server-side apply merges lists and keeps what other managers wrote. */
    const change = mutationsOf(schema, kind.spec.parse(sampleOf(kind.kind, "full").spec)).find(
      ({ field, name }) => frozen.has(field) && name.startsWith("change") && !schema.properties?.[field]?.items,
    ) as Mutation;

    test("a frozen field can't be changed by server-side apply, not even by force", async () => {
      const { object, path } = await attempt(sampleOf(kind.kind, "full"));
      const { metadata, ...rest } = sampleOf(kind.kind, "full");
      const body = { ...rest, metadata: { name: metadata.name }, spec: change.spec };
      const answer = await server.send("PATCH", `${path}&fieldManager=test&force=true`, body, {
        contentType: "application/apply-patch+yaml",
      });
      expectFrozen(answer, kind, change.field);
      expect((await read(kind.kind, object.metadata.name)).spec).toEqual(object.spec);
    });

    test("a frozen field can't be changed by a JSON patch", async () => {
      const { path } = await attempt(sampleOf(kind.kind, "full"));
      const patch = [{ op: "replace", path: `/spec/${change.field}`, value: change.spec[change.field] }];
      expectFrozen(await server.send("PATCH", path, patch, { contentType: "application/json-patch+json" }), kind, change.field);
    });

    test("a frozen field can't be changed by a merge patch", async () => {
      const { path } = await attempt(sampleOf(kind.kind, "full"));
      const patch = { spec: { [change.field]: change.spec[change.field] } };
      expectFrozen(await server.send("PATCH", path, patch, { contentType: "application/merge-patch+json" }), kind, change.field);
    });

    test("a frozen field can't be changed by another user, even an administrator", async () => {
      const { object, path } = await attempt(sampleOf(kind.kind, "full"));
      expectFrozen(await put(path, object, { spec: change.spec }, { as: "another-administrator" }), kind, change.field);
    });

    test("a write of status that carries another spec leaves the spec as it was", async () => {
      const { object } = await attempt(sampleOf(kind.kind, "full"));
      const path = `${pathOf(kind.kind)}/${object.metadata.name}/status`;
      const answer = await put(path, object, { spec: change.spec, status: { observedGeneration: 1 } });
      expect(answer.code, answer.body.message).toBe(200);
      expect(answer.body).toMatchObject({ spec: object.spec, status: { observedGeneration: 1 } });
      expect(answer.body.metadata.generation).toBe(object.metadata.generation);
    });

    test("a spec can't be taken away", async () => {
      const { path } = await attempt(sampleOf(kind.kind, "full"));
      const answer = await server.send("PATCH", path, [{ op: "remove", path: "/spec" }], { contentType: "application/json-patch+json" });
      expect(answer.code).toBe(422);
      expect(answer.body.message).toContain("spec: Required value");
    });
  });

  test("an Adapter that was deleted can't come back under its name with other weights", async () => {
    const manifest = sampleOf("Adapter", "minimal");
    const { metadata, spec } = await stored(manifest);
    expect((await server.send("DELETE", `${pathOf("Adapter")}/${metadata.name}`)).code).toBe(200);
    await vi.waitFor(async () => expect((await server.send("GET", `${pathOf("Adapter")}/${metadata.name}`)).code).toBe(404), {
      timeout: 20_000,
    });
    const others = { ...manifest, spec: { ...spec, artifact: { ...spec.artifact, digest: `sha256:${"0".repeat(64)}` } } };
    const answer = await create(others);
    expect(answer.code).toBe(422);
    expect(answer.body.message).toContain("metadata.name must end in '-'");
    expect((await create(manifest)).code).toBe(201);
  });

  test("a ModelServer scales through its scale subresource", async () => {
    const { metadata } = await stored(sampleOf("ModelServer", "minimal"));
    const patch = { spec: { replicas: 3 } };
    const answer = await server.send("PATCH", `${pathOf("ModelServer")}/${metadata.name}/scale`, patch, {
      contentType: "application/merge-patch+json",
    });
    expect(answer.body).toMatchObject({ kind: "Scale", spec: { replicas: 3 } });
  });

  describe("kubectl", () => {
    const kubectl = (...args: string[]) =>
      execFileSync(kubectlProgram(), ["--kubeconfig", kubeconfig as string, ...args], { encoding: "utf8" });

    test.each(kinds.map((kind) => [kind.kind, kind] as const))("explain prints the descriptions of %s", (_, kind) => {
      const text = kubectl("explain", `${kind.plural}.spec`).replace(/\s+/g, " ");
      for (const { description } of Object.values(rootSchema(kind).properties?.spec?.properties ?? {}))
        expect(text).toContain(description?.replace(/\s+/g, " "));
    });

    test.each(kinds.map((kind) => [kind.kind, kind] as const))("get prints the columns of %s", async (name, kind) => {
      await stored(sampleOf(name, "minimal"));
      const [head] = kubectl("get", kind.shortNames[0] as string, "-n", namespace, "-o", "wide").split("\n");
      expect(head?.trim().split(/ {2,}/)).toEqual(["NAME", ...kind.columns.map((column) => column.name.toUpperCase())]);
    });

    test("get rune lists objects of every kind", async () => {
      for (const { kind } of kinds) await stored(sampleOf(kind, "minimal"));
      const text = kubectl("get", "rune", "-n", namespace, "-o", "name");
      for (const { singular } of kinds) expect(text).toContain(`${singular}.${group}/`);
    });
  });
});

function definitionOf(kind: string): KindDefinition {
  const found = kinds.find((definition) => definition.kind === kind);
  if (!found) throw new Error(`no kind ${kind}`);
  return found;
}

function definitionPath(plural: string): string {
  return `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${group}`;
}

/** Applies the definition, as Helm does, and waits until the server serves it, schema included. */
async function install(server: Server, kind: KindDefinition): Promise<"Created" | "Updated"> {
  const path = `${definitionPath(kind.plural)}?fieldManager=helm&force=true`;
  const applied = await server.send("PATCH", path, customResourceDefinition(kind), { contentType: "application/apply-patch+yaml" });
  expect([200, 201], applied.body.message).toContain(applied.code);
  const wanted = rootSchema(kind)["x-kubernetes-validations"]?.map(({ message }) => message);
  await vi.waitFor(
    async () => {
      const { body } = await server.send("GET", `/openapi/v3/apis/${group}/${version}`);
      const served = body.components.schemas[`dev.rune.${version}.${kind.kind}`];
      expect(served["x-kubernetes-validations"]?.map(({ message }: { message: string }) => message)).toEqual(wanted);
    },
    { timeout: 30_000, interval: 250 },
  );
  return applied.code === 201 ? "Created" : "Updated";
}

function expectFrozen(answer: Answer, kind: KindDefinition, field: string): void {
  expect(answer.code, answer.body.message).toBe(422);
  expect(answer.body.message).toContain(`spec.${field}: Forbidden: ${frozenMessage(kind, field)}`);
}

function expectChanged(answer: Answer, kind: KindDefinition, mutation: Mutation, before: unknown): void {
  if (answer.code === 200) {
    expect(answer.body.spec).not.toEqual(before);
    return;
  }
  expect(answer.code).toBe(422);
  expect(
    kind.rules.some(({ message }) => answer.body.message.includes(message)),
    `${mutation.name}: ${answer.body.message}`,
  ).toBe(true);
}

function kubectlProgram(): string {
  const embedded = "/var/lib/rune-cluster/bin/kubectl";
  return existsSync(embedded) ? embedded : "kubectl";
}
