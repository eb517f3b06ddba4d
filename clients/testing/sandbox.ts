import { execFile, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { chmod, chown, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const source = fileURLToPath(new URL("../../workloads/sandbox/rune_sandbox", import.meta.url));
const user = 64_123;
const port = 8090;

export type Sandbox = { url: string; tokenFile: string; remove(): Promise<void> };

/**
 * The real sandbox runner, as a separate user, in a network namespace that can't reach anything on the host's loopback,
 * so its proof of isolation is a real one. Needs root, `ip` and `setpriv`.
 */
export async function startSandbox(library: string): Promise<Sandbox> {
  const name = `rune${randomBytes(3).toString("hex")}`;
  const network = `10.231.${randomInt(256)}`;
  const directory = await mkdtemp(join(tmpdir(), "rune-sandbox-"));
  await fill(directory, library);
  const ip = async (...args: string[]) => await run("ip", args);
  await ip("netns", "add", name);
  const remove = async () => {
    const { stdout } = await ip("netns", "pids", name);
    for (const pid of stdout.split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
    await ip("netns", "del", name);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await ip("link", "add", `${name}a`, "type", "veth", "peer", "name", `${name}b`, "netns", name);
    await ip("addr", "add", `${network}.1/30`, "dev", `${name}a`);
    await ip("link", "set", `${name}a`, "up");
    await ip("-n", name, "addr", "add", `${network}.2/30`, "dev", `${name}b`);
    await ip("-n", name, "link", "set", `${name}b`, "up");
    await ip("-n", name, "link", "set", "lo", "up");
    startRunner(name, directory);
    const url = `http://${network}.2:${port}`;
    await healthy(url);
    return { url, tokenFile: join(directory, "token"), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function fill(directory: string, library: string): Promise<void> {
  await chmod(directory, 0o755);
  await cp(source, join(directory, "rune_sandbox"), { recursive: true });
  await cp(library, join(directory, "lib"), { recursive: true });
  await mkdir(join(directory, "out"));
  await chown(join(directory, "out"), user, user);
  await writeFile(join(directory, "token"), randomBytes(16).toString("hex"), { mode: 0o644 });
}

function startRunner(namespace: string, directory: string): void {
  const id = String(user);
  const env = {
    PATH: "/usr/bin:/bin:/usr/sbin:/sbin",
    RUNE_RUNNER_TOKEN_FILE: join(directory, "token"),
    RUNE_SANDBOX_OUT: join(directory, "out"),
    RUNE_SANDBOX_LIB: join(directory, "lib"),
  };
  const args = ["netns", "exec", namespace, "setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "python3", "-m", "rune_sandbox"];
  spawn("ip", args, { cwd: directory, env, stdio: "ignore" });
}

async function healthy(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const up = await fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return;
    await wait(100);
  }
  throw new Error(`the sandbox didn't listen at ${url} within 10 s`);
}
