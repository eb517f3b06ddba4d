import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configMaps } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { environment, installPacked, type Packed, repository, run, sample, until, widgets, withProgram } from "./packed.ts";

describe("the packed package", () => {
  let packed: Packed;
  let project: string;

  beforeAll(async () => {
    packed = await installPacked();
    project = packed.project;
  }, 600_000);
  afterAll(() => (packed as Packed | undefined)?.remove());

  test("has compiled JavaScript with declarations, examples, no other sources and no tests; the workspace's manifest is back in its place", async () => {
    const installed = join(project, "node_modules/kopf-ts");
    const names = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(names).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "dist/testing/index.js"]));
    const sources = names.filter((name) => /(?<!\.d)\.ts$|\.test\./.test(name));
    const examples = readdirSync(join(import.meta.dirname, "examples")).filter((name) => /^(\d.*|crds)\.ts$/.test(name));
    expect(sources.toSorted()).toEqual(examples.map((name) => `examples/${name}`).toSorted());
    expect(JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))).not.toHaveProperty("private");
    expect(readFileSync(join(packed.packing, "package.json"), "utf8")).toBe(
      readFileSync(join(import.meta.dirname, "package.json"), "utf8"),
    );
  });

  test("has types that hold, for all that the README shows", async () => {
    const tsc = join(repository, "node_modules/typescript/bin/tsc");
    const options = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--lib",
      "es2024,esnext.disposable",
      "--types",
      "node",
      "--exactOptionalPropertyTypes",
      "--noUncheckedIndexedAccess",
      "--allowImportingTsExtensions",
    ];
    await run("npm", ["install", "zod@4.6.7", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: project,
      env: environment,
    });
    const examples = readdirSync(join(project, "examples")).map((name) => `examples/${name}`);
    const checked = run("node", [tsc, ...options, "operator.ts", "handlers.ts", "kit.ts", ...examples], { cwd: project, env: environment });
    const { stdout } = await checked.catch((error: { stdout: string }) => error);
    // Declarations are checked too; those of others are theirs to mend.
    expect(stdout.split("\n").filter((line) => /^(node_modules\/kopf-ts|operator|handlers|kit|examples)/.test(line))).toEqual([]);
  }, 240_000);

  test("prints what a cluster must have for an example", async () => {
    const { stdout } = await run(process.execPath, ["examples/crds.ts"], { cwd: project });
    expect(stdout.match(/^kind: CustomResourceDefinition$/gm)).toHaveLength(5);
  });

  test("runs without client-node where no kubeconfig is read, and says what is missing where one is", async () => {
    const bare = mkdtempSync(join(tmpdir(), "kopf-ts-bare-"));
    try {
      const packages = ["kopf-ts", "prom-client", "undici", "yaml", "tdigest", "bintrees", "@opentelemetry"];
      for (const name of packages) {
        const from = join(project, "node_modules", name);
        if (existsSync(from)) cpSync(from, join(bare, "node_modules", name), { recursive: true });
      }
      const script = `const { Client, staticCredentials } = await import("kopf-ts");
        Client.fromCredentials(staticCredentials("http://127.0.0.1:1"));
        await Client.fromEnvironment({ KUBECONFIG: "/dev/null" }).catch(({ message }) => console.log(message));`;
      writeFileSync(join(bare, "program.mjs"), script);
      const { stdout } = await run(process.execPath, ["program.mjs"], { cwd: bare });
      expect(stdout).toContain(
        "a kubeconfig is read by @kubernetes/client-node, which is not installed: npm install @kubernetes/client-node",
      );
    } finally {
      rmSync(bare, { recursive: true });
    }
  });

  test("loads its testing kit without a test framework", async () => {
    const script = `const { FakeApiServer } = await import("kopf-ts/testing"); const s = await FakeApiServer.start(); await s.stop(); console.log("fine")`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: project });
    expect(stdout).toBe("fine\n");
  });

  test("runs the README's example", async () => {
    const server = await FakeApiServer.start({ resources: [widgets] });
    const kubeconfig = join(project, "kubeconfig");
    writeFileSync(kubeconfig, kubeconfigOf(server.url));
    const key = { namespace: "shop", name: "a" };
    server.put(widgets, { ...sample, metadata: { ...sample.metadata, ...key } });
    await withProgram(project, kubeconfig, async () => {
      await until(() => server.find(widgets, key)?.status?.size === 3);
      expect(server.find(configMaps, { namespace: "shop", name: "a-size" })?.data).toEqual({ size: "3" });
    });
    await server.stop();
  });

  test("runs the README's handlers", async () => {
    const server = await FakeApiServer.start({ resources: [widgets] });
    const kubeconfig = join(project, "kubeconfig");
    writeFileSync(kubeconfig, kubeconfigOf(server.url));
    const key = { namespace: "shop", name: "a" };
    server.put(widgets, { ...sample, metadata: { ...sample.metadata, ...key } });
    await withProgram(project, kubeconfig, () => until(() => server.find(widgets, key)?.status?.address === "10.0.0.3"), "handlers.ts");
    await server.stop();
  });
});

function kubeconfigOf(url: string): string {
  const contexts = [{ name: "fake", context: { cluster: "fake", user: "nobody" } }];
  const [clusters, users] = [[{ name: "fake", cluster: { server: url } }], [{ name: "nobody", user: {} }]];
  return JSON.stringify({ apiVersion: "v1", kind: "Config", "current-context": "fake", clusters, users, contexts });
}
