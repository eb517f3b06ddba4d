import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { embedded } from "./embedded.ts";
import { settings } from "./settings.ts";
import { attempt, run } from "./shell.ts";

// Stops everything that runs in the cluster, so it wants to be asked for by name: RUNE_TEST_CLUSTER=1 RUNE_TEST_CLUSTER_DOWN=1.
describe.runIf(process.env.RUNE_TEST_CLUSTER_DOWN === "1")("down", () => {
  it("leaves nothing of the cluster on the machine", async () => {
    await embedded.up();
    expect(await leftovers()).not.toEqual([]);
    await embedded.down();
    expect(await leftovers()).toEqual([]);
    expect((await embedded.status()).running).toBe(false);
  }, 300_000);

  it("does so too after its processes were killed, and the next up works", async () => {
    await embedded.up();
    for (const pid of ourProcesses()) process.kill(pid, "SIGKILL");
    await embedded.down();
    expect(await leftovers()).toEqual([]);
    await embedded.up();
    expect((await embedded.status()).running).toBe(true);
  }, 300_000);

  it("works although containerd cannot start", async () => {
    await embedded.up();
    const pid = /containerd +pid (\d+)/.exec((await embedded.status()).text)?.[1];
    await run("chmod", ["-x", `${embedded.bin}/containerd`]);
    try {
      process.kill(Number(pid), "SIGKILL");
      await embedded.down();
      expect(await leftovers()).toEqual([]);
    } finally {
      await run("chmod", ["+x", `${embedded.bin}/containerd`]);
    }
    await embedded.up();
  }, 300_000);
});

/** Everything of ours that can be seen on the machine, in words. */
async function leftovers(): Promise<string[]> {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${settings.state}/`));
  const links = (await run("ip", ["-br", "link"])).split("\n").filter((line) => /^(rune0|veth)/.test(line));
  const tables = (await run("nft", ["list", "tables"])).split("\n").filter((line) => /rune_|kube-proxy/.test(line));
  const cgroups = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((name) => `/sys/fs/cgroup/${name}`)].map(
    (place) => `${place}/rune`,
  );
  const flows = (await attempt("conntrack", ["-L", "-s", "10.244.0.0/24"])).stdout.trim();
  const places = ["/run/netns", "/var/lib/kubelet", "/run/containerd/s"].flatMap((place) => (existsSync(place) ? readdirSync(place) : []));
  return [
    ...ourProcesses().map((pid) => `process ${pid}`),
    ...mounts,
    ...links,
    ...tables,
    ...cgroups.filter((place) => existsSync(place)),
    flows,
    ...places,
  ].filter(Boolean);
}

function ourProcesses(): number[] {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/exe`).startsWith(`${settings.state}/`);
    } catch {
      return false; // gone, or a zombie
    }
  });
}
