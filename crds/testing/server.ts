import { existsSync, readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { parse } from "yaml";

const embedded = "/var/lib/rune-cluster/kubeconfig";

/** Kubeconfig of the cluster that tests may use; null unless RUNE_TEST_CLUSTER=1 allows one. */
export function testKubeconfig(): string | null {
  if (process.env.RUNE_TEST_CLUSTER !== "1") return null;
  return process.env.KUBECONFIG ?? (existsSync(embedded) ? embedded : null);
}

export interface Answer {
  code: number;
  /** The object, or the Status with the error. */
  // biome-ignore lint/suspicious/noExplicitAny: an API server's answer, looked at field by field in assertions
  body: any;
}

export interface Options {
  contentType?: string;
  /** User name to impersonate, as a member of system:masters. */
  as?: string;
}

export interface Server {
  send(method: string, path: string, body?: unknown, options?: Options): Promise<Answer>;
}

/** A connection to the current context's API server, by client certificate or bearer token. */
export function connect(kubeconfig: string): Server {
  const config = parse(readFileSync(kubeconfig, "utf8"));
  const context = named(config.contexts, config["current-context"]).context;
  const { cluster } = named(config.clusters, context.cluster);
  const { user } = named(config.users, context.user);
  const agent = new Agent({
    keepAlive: true,
    ca: pem(cluster, "certificate-authority"),
    cert: pem(user, "client-certificate"),
    key: pem(user, "client-key"),
  });
  const headers: Record<string, string> = user.token ? { authorization: `Bearer ${user.token}` } : {};
  return { send: (method, path, body, options) => send({ agent, base: cluster.server, headers }, { method, path, body, ...options }) };
}

type Named = { name: string; [key: string]: Record<string, string> | string };

// biome-ignore lint/suspicious/noExplicitAny: kubeconfig is read as it is
function named(list: Named[], name: string): any {
  const found = list.find((entry) => entry.name === name);
  if (!found) throw new Error(`the kubeconfig names "${name}" but doesn't hold it`);
  return found;
}

function pem(holder: Record<string, string>, key: string): Buffer | undefined {
  const data = holder[`${key}-data`];
  if (data) return Buffer.from(data, "base64");
  return holder[key] ? readFileSync(holder[key]) : undefined;
}

interface Connection {
  agent: Agent;
  base: string;
  headers: Record<string, string>;
}

function send(connection: Connection, call: Options & { method: string; path: string; body?: unknown }): Promise<Answer> {
  const headers = {
    ...connection.headers,
    accept: "application/json",
    "content-type": call.contentType ?? "application/json",
    ...(call.as ? { "impersonate-user": call.as, "impersonate-group": "system:masters" } : {}),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(call.path, connection.base), { agent: connection.agent, method: call.method, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("end", () => resolve({ code: incoming.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString() || "null") }));
    });
    outgoing.on("error", reject);
    outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}
