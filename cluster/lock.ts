import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { progress } from "./progress.ts";

/**
 * Runs `work` while no other process holds the lock on `file`. The lock is the kernel's (flock), held by a child that
 * exits with this process, so a killed process leaves nothing locked.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn("flock", [file, "sh", "-c", "echo locked; exec cat >/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = setTimeout(() => progress.say(`another process holds ${file}; waiting for it`), 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once("data", () => resolve());
      holder.once("error", () => reject(new Error("flock (of util-linux) is not installed")));
      holder.once("exit", (code) => reject(new Error(`could not lock ${file} (flock exited with ${code})`)));
    });
  } finally {
    clearTimeout(waiting);
  }
  try {
    return await work();
  } finally {
    holder.stdin.end();
  }
}
