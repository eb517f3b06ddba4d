import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type DynamicObject, resource } from "kopf-ts";
import { expect } from "vitest";
import { parse } from "yaml";

export const run = promisify(execFile);
export const repository = join(import.meta.dirname, "..");
export const environment = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
export const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);
const [install = ""] = blocks("sh");
const [example = "", handlers = "", kit = ""] = blocks("ts");
/** The CustomResourceDefinition and the object that users of the README apply. */
export const [definition, sample] = blocks("yaml").map((block) => parse(block)) as [DynamicObject, DynamicObject];

export interface Packed {
  /** A copy of this folder, from which the package was made. */
  packing: string;
  /** A folder with the package installed, and with the README's examples. */
  project: string;
  remove(): void;
}

/** What users install: packed from a copy of this folder, installed into an empty one, used as the README says. */
export async function installPacked(): Promise<Packed> {
  const packing = mkdtempSync(join(tmpdir(), "kopf-ts-pack-"));
  const project = mkdtempSync(join(tmpdir(), "kopf-ts-user-"));
  for (const name of ["src", "docs", "examples", "README.md", "LICENSE", "package.json", "pack.ts", "tsconfig.build.json"]) {
    cpSync(join(import.meta.dirname, name), join(packing, name), { recursive: true });
  }
  symlinkSync(join(repository, "node_modules"), join(packing, "node_modules"));
  await run("npm", ["pack", "--loglevel=error"], { cwd: packing, env: environment });
  const packed = join(packing, readdirSync(packing).find((name) => name.endsWith(".tgz")) ?? "");
  const quiet = { npm_config_prefer_offline: "true", npm_config_audit: "false", npm_config_fund: "false", npm_config_loglevel: "error" };
  await run("sh", ["-ec", install.replace("install kopf-ts", `install ${packed}`)], { cwd: project, env: { ...environment, ...quiet } });
  // A test must not use fixed ports.
  writeFileSync(join(project, "operator.ts"), example.replace("port: 8080", 'port: 0, host: "127.0.0.1"'));
  writeFileSync(join(project, "handlers.ts"), handlers.replace("delay: 10", "delay: 0.1"));
  cpSync(join(project, "node_modules/kopf-ts/examples"), join(project, "examples"), { recursive: true });
  const named =
    'import type { DynamicObject, Resource } from "kopf-ts";\ndeclare const widgets: Resource<DynamicObject>, widget: never, key: { name: string };\n';
  writeFileSync(join(project, "kit.ts"), named + kit);
  return {
    packing,
    project,
    remove: () => {
      for (const folder of [packing, project]) rmSync(folder, { recursive: true });
    },
  };
}

/** Runs one of the README's programs until `use` has ended, and checks that it exits successfully. */
export async function withProgram(project: string, kubeconfig: string, use: () => Promise<void>, name = "operator.ts"): Promise<void> {
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

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("it did not come true within 15 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
