import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { resource } from "kopf-ts";
import { expect } from "vitest";

export const run = promisify(execFile);
export const repository = join(import.meta.dirname, "../..");
export const environment = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
export const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
const [example = "", handlers = "", kit = ""] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block);

export interface Packed {
  /** A copy of this folder, from which the package was made. */
  packing: string;
  /** A folder with the package installed, and with the README's examples. */
  project: string;
  remove(): void;
}

/** What people install: packed from a copy of this folder, installed into an empty one, used as the README says. */
export async function installPacked(): Promise<Packed> {
  const packing = mkdtempSync(join(tmpdir(), "kopf-ts-pack-"));
  const project = mkdtempSync(join(tmpdir(), "kopf-ts-user-"));
  for (const name of ["src", "README.md", "LICENSE", "package.json", "pack.ts", "tsconfig.build.json"]) {
    cpSync(join(import.meta.dirname, name), join(packing, name), { recursive: true });
  }
  symlinkSync(join(repository, "node_modules"), join(packing, "node_modules"));
  await run("npm", ["pack", "--loglevel=error"], { cwd: packing, env: environment });
  const packed = join(packing, readdirSync(packing).find((name) => name.endsWith(".tgz")) ?? "");
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
  return {
    packing,
    project,
    remove: () => {
      for (const folder of [packing, project]) rmSync(folder, { recursive: true });
    },
  };
}

/** Runs one of the README's programs until it did what is asked of it, and sees it end well. */
export async function withProgram(project: string, kubeconfig: string, use: () => Promise<void>, name = "example.ts"): Promise<void> {
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
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("it did not come true within 15 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
