import { readdirSync, readFileSync, writeFileSync } from "node:fs";
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
  }, 180_000);
  afterAll(() => (packed as Packed | undefined)?.remove());

  test("has compiled JavaScript with declarations, no sources and no tests; the workspace's manifest is back in its place", async () => {
    const installed = join(project, "node_modules/kopf-ts");
    const names = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(names).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "dist/testing/index.js"]));
    expect(names.filter((name) => /(?<!\.d)\.ts$|\.test\./.test(name))).toEqual([]);
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
    ];
    const checked = run("node", [tsc, ...options, "operator.ts", "handlers.ts", "kit.ts"], { cwd: project, env: environment });
    const { stdout } = await checked.catch((error: { stdout: string }) => error);
    // Declarations are checked too; those of others are theirs to mend.
    expect(stdout.split("\n").filter((line) => /^(node_modules\/kopf-ts|operator|handlers|kit)/.test(line))).toEqual([]);
  }, 60_000);

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
