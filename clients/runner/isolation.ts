import { connect } from "node:net";
import { exit, type ProbeTargets } from "@rune/crds/contracts/pod";
import type { Isolation } from "@rune/crds/fields/isolation";
import { type Clock, systemClock } from "../clock.ts";
import { PodFailure } from "../pod/pod.ts";

type Probe = Isolation["probes"][number];

/** The pod can't reach the control targets itself, so the sandbox's failure to do so proves nothing. Retryable. */
export class ControlUnreachable extends Error {
  override readonly name = "ControlUnreachable";
}

export type Proof = {
  targets: ProbeTargets;
  /** has the sandbox try to break out */
  probe(targets: ProbeTargets): Promise<Pick<Isolation, "verified" | "probes">>;
  /** whether `host:port` accepts a TCP connection from here within `timeout` milliseconds */
  reach?(address: string, timeout: number): Promise<boolean>;
  clock?: Clock;
  signal?: AbortSignal;
};

/** How often the positive control is tried: a new endpoint or network policy needs a moment, most often a short one. */
const controlAttempts = 60;
const firstWait = 100;
const betweenControls = 1000;
/**
 * Waits before the proof is tried again, together a minute: a policy may be enforced late, by a second where a pod is new and by many where
 * the cluster is busy, and a busy node be too slow for a probe.
 */
const betweenProofs = [1000, 2000, 4000, 8000, 15_000, 30_000];

/**
 * Proof of isolation before the first untrusted line runs. First the positive control: canary and model server are
 * reachable from here. Then the sandbox probes itself, with the network policy alone (layer 1) and with process locks
 * alone (layer 2). It is verified only if both layers have probes and none failed; the sandbox's own verdict can only
 * lower that. A failed proof is repeated as a whole, a few times; the last result counts. Throws ControlUnreachable,
 * and the errors of `probe`.
 */
export async function proveIsolation(proof: Proof): Promise<Isolation> {
  const clock = proof.clock ?? systemClock;
  for (const wait of betweenProofs) {
    const isolation = await proveOnce(proof, clock);
    if (isolation.verified) return isolation;
    await clock.wait(wait, proof.signal);
  }
  return await proveOnce(proof, clock);
}

async function proveOnce(proof: Proof, clock: Clock): Promise<Isolation> {
  const controls = await Promise.all([
    control(proof, clock, "canary from this pod", proof.targets.canary),
    control(proof, clock, "model server from this pod", proof.targets.modelServer),
  ]);
  const answer = await proof.probe(proof.targets);
  const probes = [...controls, ...answer.probes].slice(0, 64);
  return { verified: answer.verified && isComplete(answer.probes), probes, time: new Date(clock.now()).toISOString() };
}

/** Whether the sandbox's probes cover both layers and none failed. */
export function isComplete(probes: readonly Probe[]): boolean {
  const layers = new Set(probes.filter((probe) => probe.expected === "Blocked").map((probe) => probe.layer));
  return layers.has(1) && layers.has(2) && failedProbes(probes).length === 0;
}

/** Probes with a result that a safe sandbox must not have. A probe that expects neither is informative. */
function failedProbes(probes: readonly Probe[]): Probe[] {
  return probes.filter(
    ({ expected, observed }) => (expected === "Blocked" && observed !== "Blocked") || (expected === "Reached" && observed !== "Reached"),
  );
}

/** The failure of a pod whose sandbox isn't proven to be isolated; undefined for a proof. */
export function isolationFailure({ verified, probes }: Isolation, epoch: number): PodFailure | undefined {
  if (verified) return undefined;
  const failed = failedProbes(probes).map((probe) => `${probe.name} (layer ${probe.layer})`);
  return new PodFailure(
    exit.badInput,
    "IsolationUnproven",
    `the sandbox of epoch ${epoch} isn't proven to be isolated: ${failed.join(", ") || "its proof lacks a layer"}; no program was run. Correct what lets these through, then start again`,
  );
}

/** Whether `host:port` accepts a TCP connection within `timeout` milliseconds. */
export async function reachesTCP(address: string, timeout = longestReach): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return await new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(colon + 1)), timeout });
    const answer = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once("connect", () => answer(true));
    socket.once("timeout", () => answer(false));
    socket.once("error", () => answer(false));
  });
}

/** A first packet that was dropped while this pod was new is sent again by the next try, long before the kernel would. */
const firstReach = 250;
const longestReach = 3000;

async function control(proof: Proof, clock: Clock, name: string, address: string): Promise<Probe> {
  const reach = proof.reach ?? reachesTCP;
  const doubled = (first: number, attempt: number, most: number) => Math.min(most, first * 2 ** (attempt - 1));
  for (let attempt = 1; !(await reach(address, doubled(firstReach, attempt, longestReach))); attempt++) {
    if (attempt === controlAttempts)
      throw new ControlUnreachable(
        `this pod could not reach ${address} (${name}) in ${controlAttempts} attempts, so nothing can be proven about the sandbox; see whether it runs and whether a network policy keeps this pod from it`,
      );
    await clock.wait(doubled(firstWait, attempt, betweenControls), proof.signal);
  }
  return { name, layer: 1, expected: "Reached", observed: "Reached" };
}
