import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { spawnBound } from "./shell.ts";

const endless = ["-c", "echo $$; exec sleep 600"];
const runs = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("a command beside this process says something and ends when it is disposed of", async () => {
  let pid: number;
  {
    using companion = await spawnBound("sh", endless);
    pid = Number(companion.said);
    expect(runs(pid)).toBe(true);
  }
  await vi.waitUntil(() => !runs(pid), { timeout: 20_000 });
});

test("it ends with its process even where that is killed", async () => {
  const script = `const { spawnBound } = await import(${JSON.stringify(import.meta.resolve("./shell.ts"))});
    console.log((await spawnBound("sh", ${JSON.stringify(endless)})).said);
    setInterval(() => {}, 1000);`;
  const process = spawn(globalThis.process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const pid = Number(String((await once(process.stdout, "data"))[0]));
  expect(runs(pid)).toBe(true);
  process.kill("SIGKILL");
  await vi.waitUntil(() => !runs(pid), { timeout: 20_000 });
});

test("it keeps its process from nothing", async () => {
  const script = `const { spawnBound } = await import(${JSON.stringify(import.meta.resolve("./shell.ts"))});
    console.log((await spawnBound("sh", ${JSON.stringify(endless)})).said);`;
  const process = spawn(globalThis.process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const said = once(process.stdout, "data");
  expect(await once(process, "exit")).toEqual([0, null]);
  await vi.waitUntil(async () => !runs(Number(String((await said)[0]))));
});

test("one that ends without a word is told", async () => {
  await expect(spawnBound("sh", ["-c", "exit 3"])).rejects.toThrow("`sh -c exit 3` ended with exit status 3");
});
