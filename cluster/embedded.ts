import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "./lock.ts";
import { ensurePackages, packagesOfTheCluster } from "./packages.ts";
import { containerd, gvisor, installPrograms, kube } from "./programs.ts";
import { progress } from "./progress.ts";
import { settings } from "./settings.ts";
import { attempt, run } from "./shell.ts";

const bin = join(settings.state, "bin");

/** Whether the cluster has gVisor, as `host/cluster.sh` finds it. */
const hasGvisor = () => existsSync(join(bin, "gvisor.id"));

/**
 * The Kubernetes that this room starts itself. `host/cluster.sh` does the work on the machine; this provides its
 * programs.
 */
export const embedded = {
  kubeconfig: join(settings.state, "kubeconfig"),
  bin,
  hasGvisor,

  /** With gVisor if that is asked for here or was before: a cluster that has it keeps it until it is destroyed. */
  async up({ withGvisor = hasGvisor() } = {}): Promise<void> {
    requireRoot("start");
    await ensurePackages(packagesOfTheCluster);
    const programs = { kube: await kube(), containerd: await containerd(), gvisor: withGvisor ? await gvisor() : undefined };
    await mkdir(settings.state, { recursive: true });
    await locked(async () => {
      await installPrograms(embedded.bin, {
        kube: { program: programs.kube, files: ["kube", "kube.image.tar", "pause.image.tar"] },
        containerd: { program: programs.containerd, files: ["containerd", "containerd-shim-runc-v2", "ctr", "runc"] },
        ...(programs.gvisor && { gvisor: { program: programs.gvisor, files: ["runsc", "containerd-shim-runsc-v1"] } }),
      });
      await host("up");
    });
    progress.say(`the cluster is up: KUBECONFIG=${embedded.kubeconfig}`);
  },

  async down(): Promise<void> {
    if (!existsSync(settings.state)) return progress.say("nothing to stop: there is no embedded cluster on this machine");
    requireRoot("stop");
    await locked(() => host("down"));
    progress.say(`the cluster is stopped; its state is kept in ${settings.state} (destroy removes it)`);
  },

  async destroy(): Promise<void> {
    if (!existsSync(settings.state)) return progress.say("nothing to remove: there is no embedded cluster on this machine");
    requireRoot("remove");
    await locked(() => host("destroy"));
    progress.say(`the cluster and its state in ${settings.state} are removed; what was built is kept in ${settings.cache}`);
  },

  /** A line per component, and whether all of them run. */
  async status(): Promise<{ running: boolean; text: string }> {
    const result = await attempt("bash", [script, "status"], { env: { RUNE_CLUSTER_STATE: settings.state } });
    return { running: result.code === 0, text: result.stdout };
  },

  /** containerd's client on the cluster's containerd. */
  ctr(args: string[]): Promise<string> {
    const env = { CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS: "1" };
    return run(join(embedded.bin, "ctr"), ["-a", join(settings.state, "run/containerd.sock"), "-n", "k8s.io", ...args], { env });
  },
};

const script = join(import.meta.dirname, "host/cluster.sh");

// Beside the state, not in it: `destroy` removes that.
function locked<T>(work: () => Promise<T>): Promise<T> {
  return withLock(`${settings.state}.lock`, work);
}

async function host(command: "up" | "down" | "destroy"): Promise<void> {
  await run("bash", [script, command], { env: { RUNE_CLUSTER_STATE: settings.state }, onLine: (line) => progress.say(line) });
}

function requireRoot(what: string): void {
  if (process.getuid?.() === 0) return;
  throw new Error(
    `the embedded cluster needs root to ${what}: run this with sudo, or set KUBECONFIG to a cluster of your own (kind and k3d work, see cluster/README.md)`,
  );
}
