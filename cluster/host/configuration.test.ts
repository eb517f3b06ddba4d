import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../shell.ts";

let state = "";

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "rune-configuration-"));
  for (const directory of ["bin", "cni"]) await mkdir(join(state, directory));
  await writeFile(join(state, "bin/kube.id"), "key");
});

afterAll(() => rm(state, { recursive: true }));

/** The files that are written for the programs in `bin`, by name. */
async function written(): Promise<Record<string, string>> {
  const env = { STATE: state, BIN: join(state, "bin"), RUN: join(state, "run"), PKI: join(state, "pki"), CGROUP: "rune", NODE: "node1" };
  const network = { NODE_IP: "172.30.0.1", POD_CIDR: "10.244.0.0/24", DNS_IP: "10.96.0.10" };
  const script = join(import.meta.dirname, "configuration.sh");
  await run("bash", ["-euc", '. "$1"; write_configuration', "bash", script], { env: { ...env, ...network } });
  const names = (await readdir(state, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(state, name), "utf8")])));
}

it("names gVisor where its programs are, and is otherwise the same, so that nothing restarts but containerd", async () => {
  const { "containerd.toml": before = "", ...others } = await written();
  await writeFile(join(state, "bin/gvisor.id"), "key");
  const { "containerd.toml": after = "", "runsc.toml": runsc, ...same } = await written();
  expect(before).toMatch(/SystemdCgroup = false\n$/);
  expect(before).not.toContain("runsc");
  expect(after.startsWith(before)).toBe(true);
  expect(after.slice(before.length)).toContain(`ConfigPath = "${state}/runsc.toml"`);
  expect(runsc).toContain(`binary_name = "${state}/bin/runsc"`);
  expect(same).toEqual(others);
});
