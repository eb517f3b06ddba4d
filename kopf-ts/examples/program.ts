import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type DynamicObject, type Resource, resource } from "kopf-ts";
import { expect } from "vitest";

const kindOf = (kind: string) => resource({ group: "examples.kopf-ts.dev", version: "v1", kind, plural: `${kind.toLowerCase()}s` });
export const greetings = kindOf("Greeting");
export const claims = kindOf("EphemeralVolumeClaim");
export const heartbeats = kindOf("Heartbeat");
export const folders = kindOf("Folder");
export const discounts = kindOf("Discount");
export const counters = kindOf("Counter");
export const key = { namespace: "shop", name: "a" };
export const object = (of: Resource, spec: object = {}, metadata: object = {}): DynamicObject => ({
  apiVersion: of.group ? `${of.group}/${of.version}` : of.version,
  kind: of.kind,
  metadata: { ...key, ...metadata },
  spec,
});

/**
 * The running example: an unmodified, separate program that finds the server by a kubeconfig and is stopped by SIGTERM.
 */
let program: ChildProcess | undefined;
/** What it has said, and printed. */
export let output = "";
export let printed = "";

export function launch(name: string, environment: Record<string, string>, ...words: string[]): void {
  [output, printed] = ["", ""];
  program = spawn(process.execPath, [join(import.meta.dirname, name), ...words], { env: { ...process.env, ...environment } });
  program.stdout?.on("data", (data) => {
    printed += String(data);
  });
  program.stderr?.on("data", (data) => {
    output += String(data);
  });
}

export async function until<T>(answer: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await answer();
    if (found !== undefined && found !== null && found !== false) return found;
    if (Date.now() > deadline || program?.exitCode) throw new Error(`it did not come true; the program said:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function end(): Promise<void> {
  program?.kill("SIGTERM");
  await ended();
}

/** It has come to its own end, and well. */
export async function ended(): Promise<void> {
  await until(() => program?.exitCode !== null);
  expect(program?.exitCode, output).toBe(0);
}

/** Also after a failed test. */
export function kill(): void {
  program?.kill("SIGKILL");
}
