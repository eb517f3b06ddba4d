import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { configMaps, type DynamicObject, resource } from "kopf-ts";
import { FakeApiServer, withCluster } from "kopf-ts/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** What people install: packed from a copy of this folder, installed into an empty one, used as the README says. */
const run = promisify(execFile);
const packing = mkdtempSync(join(tmpdir(), "kopf-ts-pack-"));
const project = mkdtempSync(join(tmpdir(), "kopf-ts-user-"));
const repository = join(import.meta.dirname, "../..");
const environment = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
const [example = "", handlers = "", kit = ""] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block);
let packed: string;

beforeAll(async () => {
  for (const name of ["src", "README.md", "LICENSE", "package.json", "pack.ts", "tsconfig.build.json"]) {
    cpSync(join(import.meta.dirname, name), join(packing, name), { recursive: true });
  }
  symlinkSync(join(repository, "node_modules"), join(packing, "node_modules"));
  await run("npm", ["pack", "--loglevel=error"], { cwd: packing, env: environment });
  packed = join(packing, readdirSync(packing).find((name) => name.endsWith(".tgz")) ?? "");
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", packed], {
    cwd: project,
    env: environment,
  });
  // Ports of the machine are not the test's to take.
  writeFileSync(join(project, "example.ts"), example.replace("port: 8080", 'port: 0, host: "127.0.0.1"'));
  writeFileSync(join(project, "handlers.ts"), handlers.replace("delay: 10", "delay: 0.1"));
  const named =
    'import type { DynamicObject, Resource } from "kopf-ts";\ndeclare const widgets: Resource<DynamicObject>, widget: never, key: { name: string };\n';
  writeFileSync(join(project, "kit.ts"), named + kit);
}, 180_000);
afterAll(() => {
  rmSync(packing, { recursive: true });
  rmSync(project, { recursive: true });
});

describe("the packed package", () => {
  test("has compiled JavaScript with declarations, no sources and no tests; the workspace's manifest is back in its place", async () => {
    const installed = join(project, "node_modules/kopf-ts");
    const names = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(names).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "dist/testing/index.js"]));
    expect(names.filter((name) => /(?<!\.d)\.ts$|\.test\./.test(name))).toEqual([]);
    expect(JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))).not.toHaveProperty("private");
    expect(readFileSync(join(packing, "package.json"), "utf8")).toBe(readFileSync(join(import.meta.dirname, "package.json"), "utf8"));
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
    const checked = run("node", [tsc, ...options, "example.ts", "handlers.ts", "kit.ts"], { cwd: project, env: environment });
    const { stdout } = await checked.catch((error: { stdout: string }) => error);
    // Declarations are checked too; those of others are theirs to mend.
    expect(stdout.split("\n").filter((line) => /^(node_modules\/kopf-ts|example|handlers|kit)/.test(line))).toEqual([]);
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
    server.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 3 } });
    await withProgram(kubeconfig, async () => {
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
    server.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 3 } });
    await withProgram(kubeconfig, () => until(() => server.find(widgets, key)?.status?.address === "10.0.0.3"), "handlers.ts");
    await server.stop();
  });

  test.runIf(process.env.RUNE_TEST_CLUSTER === "1")(
    "runs the README's example on a cluster",
    async () => {
      await withCluster({ crds: [definition] }, async ({ client, namespace }) => {
        const key = { namespace, name: "a" };
        await client.create(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 3 } });
        await withProgram(process.env.KUBECONFIG ?? "", () => until(async () => (await client.get(widgets, key)).status?.size === 3));
        expect((await client.get(configMaps, { namespace, name: "a-size" })).data).toEqual({ size: "3" });
      });
    },
    60_000,
  );
});

async function withProgram(kubeconfig: string, use: () => Promise<void>, name = "example.ts"): Promise<void> {
  const program: ChildProcess = spawn(process.execPath, [name], { cwd: project, env: { ...environment, KUBECONFIG: kubeconfig } });
  let output = "";
  program.stderr?.on("data", (data) => {
    output += String(data);
  });
  try {
    await use();
    program.kill("SIGTERM");
    await until(() => program.exitCode !== null);
    expect(program.exitCode, output).toBe(0);
  } catch (error) {
    throw new Error(`the program said:\n${output}`, { cause: error });
  } finally {
    program.kill("SIGKILL");
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("it did not come true within 15 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function kubeconfigOf(url: string): string {
  const contexts = [{ name: "fake", context: { cluster: "fake", user: "nobody" } }];
  const [clusters, users] = [[{ name: "fake", cluster: { server: url } }], [{ name: "nobody", user: {} }]];
  return JSON.stringify({ apiVersion: "v1", kind: "Config", "current-context": "fake", clusters, users, contexts });
}

const definition: DynamicObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.dev" },
  spec: {
    group: "example.dev",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
