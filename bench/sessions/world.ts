import { sha256 } from "@rune/clients/registry/digest";
import { apiVersion } from "../../crds/words/group.ts";
import { type Api, inParallel } from "../operator/http.ts";
import { condition, createWithStatus } from "../simulated-objects.ts";

export const namespace = "sessions";
const server = "coder";
const width = 24;
const sessionsPath = `/apis/${apiVersion}/namespaces/${namespace}/agentsessions`;
const podsPath = `/api/v1/namespaces/${namespace}/pods`;

const spec = {
  task: { id: "t", description: "Write f.", tests: "assert f() == 1", entryPoint: "f" },
  scope: { project: "parsers" },
  serverRef: { name: server },
};

/** A server that answers and decodes for `places` sessions at once, what the isolation proof tries, and sessions that have ended. */
export async function populate(api: Api, { places, finished }: { places: number; finished: number }): Promise<void> {
  const baseDigest = sha256(Buffer.from("base"));
  await createWithStatus(api, `/apis/${apiVersion}/namespaces/${namespace}/modelservers`, {
    kind: "ModelServer",
    namespace,
    name: server,
    spec: { base: { oci: { repository: "rune/models/m", digest: baseDigest } }, maxSequences: 3 * places },
    status: { conditions: [condition("Ready")], baseDigest },
  });
  for (const [where, name] of [
    [namespace, server],
    ["rune-system", "rune-canary"],
  ]) {
    await api.call("POST", `/api/v1/namespaces/${where}/services`, { metadata: { name }, spec: { ports: [{ port: 80 }] } });
  }
  await inParallel(finished, width, (index) =>
    createWithStatus(api, sessionsPath, {
      ...{ kind: "AgentSession", namespace, name: `finished-${index}`, spec },
      status: { epoch: 1, outcome: "Solved", conditions: [condition("Succeeded"), condition("Ready")] },
    }),
  );
}

export const createSessions = (api: Api, count: number): Promise<void> =>
  inParallel(count, width, (index) =>
    api.call("POST", sessionsPath, { apiVersion, kind: "AgentSession", metadata: { name: `s${index}`, namespace }, spec }),
  );

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions?: unknown };
}

/** The kubelet's part: a sandbox is ready as soon as it is seen. Returns when the signal aborts. */
export async function playKubelet(api: Api, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { items } = await api.call<{ items: Pod[] }>("GET", `${podsPath}?fieldSelector=status.phase=Pending`);
    const status = { phase: "Running", podIP: "10.0.0.7", hostIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] };
    const isGone = () => undefined;
    await Promise.all(items.map(({ metadata }) => api.patch(`${podsPath}/${metadata.name}/status`, { status }).catch(isGone)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Session {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly epoch?: number;
    readonly conditions?: { type: string; status: string; reason: string }[];
  };
}

export interface Census {
  readonly working: number;
  readonly waiting: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Bytes of the status of the largest session that has ended here. */
  readonly statusBytes: number;
}

/** Of the sessions that `createSessions` made, page by page. */
export async function census(api: Api): Promise<Census> {
  const counts = { working: 0, waiting: 0, succeeded: 0, failed: 0, statusBytes: 0 };
  let next = "";
  do {
    const page = await api.call<{ items: Session[]; metadata: { continue?: string } }>(
      "GET",
      `${sessionsPath}?limit=1000${next && `&continue=${encodeURIComponent(next)}`}`,
    );
    for (const { metadata, status } of page.items) {
      if (metadata.name.startsWith("finished-")) continue;
      const isTrue = (type: string) => status?.conditions?.some((each) => each.type === type && each.status === "True") ?? false;
      const ended = isTrue("Succeeded") || isTrue("Failed");
      counts.succeeded += Number(isTrue("Succeeded"));
      counts.failed += Number(isTrue("Failed"));
      counts.working += Number(!ended && status?.epoch !== undefined);
      counts.waiting += Number(status?.conditions?.some(({ reason }) => reason === "ServerBusy") ?? false);
      if (ended) counts.statusBytes = Math.max(counts.statusBytes, JSON.stringify(status).length);
    }
    next = page.metadata.continue ?? "";
  } while (next);
  return counts;
}
