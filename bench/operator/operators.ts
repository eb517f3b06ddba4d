import { join } from "node:path";
import { cached } from "@rune/cluster/cache";
import { keyOf, listFiles, treeKey } from "@rune/cluster/content-key";
import { progress } from "@rune/cluster/progress";
import { run } from "@rune/cluster/shell";

export const operatorNames = ["kopf-ts", "controller-runtime", "client-node", "kopf"] as const;
export type OperatorName = (typeof operatorNames)[number];

/** Everything is compared with this one. */
export const reference: OperatorName = "controller-runtime";

export const labels: Readonly<Record<OperatorName, string>> = {
  "kopf-ts": "kopf-ts",
  "controller-runtime": "controller-runtime",
  "client-node": "client-node informer",
  kopf: "Kopf",
};

const kopfVersion = "1.45.2";
const here = import.meta.dirname;
const node = (file: string) => [process.execPath, join(here, "operators", file)];

/** Builds or finds an operator; returns its command line. */
export async function prepare(name: OperatorName): Promise<readonly string[]> {
  switch (name) {
    case "kopf-ts":
      return node("kopf-ts.ts");
    case "client-node":
      return node("client-node.ts");
    case "controller-runtime":
      return [await controllerRuntime()];
    case "kopf":
      return [join(await kopfEnvironment(), "bin", "python"), join(here, "operators", "kopf_operator.py")];
  }
}

/** What exactly was measured, for the record. */
export async function versionOf(name: OperatorName): Promise<string> {
  switch (name) {
    case "kopf-ts":
      return `this checkout, Node ${process.version}`;
    case "client-node":
      return `@kubernetes/client-node ${await packageVersion("@kubernetes/client-node")}, Node ${process.version}`;
    case "controller-runtime": {
      const version = await run("go", ["list", "-m", "-f", "{{.Version}}", "sigs.k8s.io/controller-runtime"], { cwd: goSource });
      return `${version.trim()}, ${(await run("go", ["env", "GOVERSION"])).trim()}`;
    }
    case "kopf":
      return `${kopfVersion}, ${(await run(join(await kopfEnvironment(), "bin", "python"), ["--version"])).trim()}`;
  }
}

async function packageVersion(name: string): Promise<string> {
  const { default: manifest } = await import(`${name}/package.json`, { with: { type: "json" } });
  return (manifest as { version: string }).version;
}

const goSource = join(here, "controller-runtime");

async function controllerRuntime(): Promise<string> {
  const key = keyOf({ files: await treeKey(goSource, await listFiles(goSource)), go: await run("go", ["env", "GOVERSION"]) }).slice(0, 16);
  const folder = await cached("bench", `controller-runtime-${key}`, (out) =>
    progress.step("compiling the controller-runtime operator (3 minutes the first time)", async () => {
      const args = ["build", "-trimpath", "-ldflags", "-s -w", "-o", join(out, "operator"), "."];
      await run("go", args, { cwd: goSource });
    }),
  );
  return join(folder, "operator");
}

function kopfEnvironment(): Promise<string> {
  return cached("bench", `kopf-${kopfVersion}`, (out) =>
    progress.step(`installing Kopf ${kopfVersion}`, async () => {
      await run("python3", ["-m", "venv", out]);
      await run(join(out, "bin", "python"), ["-m", "pip", "install", "--quiet", `kopf==${kopfVersion}`]);
    }),
  );
}
