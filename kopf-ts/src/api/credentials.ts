import { readFile } from "node:fs/promises";
import type { KubeConfig } from "@kubernetes/client-node";
import { isErrno } from "../core/errno.ts";

/** What `tls.connect` needs to know. */
export interface TlsSettings {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  pfx?: string | Buffer;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** How to reach the server right now; tokens and certificates are rotated, so this is asked for again and again. */
export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsSettings;
}

/** Where the API server is and what it accepts from us. Implement it for an authentication of your own. */
export interface Credentials {
  /** `https://host:port`, perhaps with a path. */
  readonly server: string;
  /** An HTTP proxy on the way. */
  readonly proxy?: string;
  /** The namespace of the context, or of the pod. */
  readonly namespace?: string;
  /** Asked before a request when the last answer is older than half a minute, and after a 401. */
  access(): Promise<Access>;
}

/** A server that needs nothing, or always the same. */
export function staticCredentials(server: string, access: Partial<Access> = {}): Credentials {
  const answer = { headers: access.headers ?? {}, tls: access.tls ?? {} };
  return { server, access: () => Promise.resolve(answer) };
}

/** Everything client-node's KubeConfig knows: certificates, tokens, token files, exec plugins, OIDC, impersonation. */
export function kubeConfigCredentials(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (!cluster)
    throw new Error(`the kubeconfig has no cluster for its context ${config.getCurrentContext() || "(none is set)"}; choose a context`);
  if (cluster.proxyUrl?.startsWith("socks"))
    throw new Error(`cluster ${cluster.name} is behind a SOCKS proxy, which is not supported; use an HTTP proxy`);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  return {
    server: cluster.server,
    ...(cluster.proxyUrl ? { proxy: cluster.proxyUrl } : {}),
    ...(namespace ? { namespace } : {}),
    access: () => (cluster.server.startsWith("http:") ? plainAccess(config) : encryptedAccess(config)),
  };
}

/** client-node refuses plain HTTP, which `kubectl proxy` and local test servers speak. */
function plainAccess(config: KubeConfig): Promise<Access> {
  const token = config.getCurrentUser()?.token;
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  return Promise.resolve({ headers, tls: {} });
}

async function encryptedAccess(config: KubeConfig): Promise<Access> {
  const options: Record<string, unknown> & { headers?: Record<string, string>; auth?: string } = {};
  await config.applyToHTTPSOptions(options);
  const basic: Record<string, string> = options.auth ? { authorization: `Basic ${Buffer.from(options.auth).toString("base64")}` } : {};
  const tls: Record<string, unknown> = {};
  for (const name of ["ca", "cert", "key", "pfx", "passphrase", "servername", "rejectUnauthorized"]) {
    if (options[name] !== undefined && options[name] !== null) tls[name] = options[name];
  }
  return { headers: { ...basic, ...options.headers }, tls: tls as TlsSettings };
}

const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The pod's own service account, without loading client-node (which costs about 80 MB of memory). Null outside a pod. */
export async function inClusterCredentials(
  environment: Readonly<Record<string, string | undefined>>,
  folder = serviceAccountFolder,
): Promise<Credentials | null> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !port) return null;
  const namespace = await readIfThere(`${folder}/namespace`);
  if (namespace === undefined) return null;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    async access() {
      const [token, ca] = await Promise.all([readFile(`${folder}/token`, "utf8"), readFile(`${folder}/ca.crt`)]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}

/** In a pod its service account; elsewhere the kubeconfig that kubectl would use. */
export async function defaultCredentials(environment: Readonly<Record<string, string | undefined>>): Promise<Credentials> {
  if (!environment.KUBECONFIG) {
    const inCluster = await inClusterCredentials(environment);
    if (inCluster) return inCluster;
  }
  const { KubeConfig: Config } = await import("@kubernetes/client-node");
  const config = new Config();
  config.loadFromDefault();
  return kubeConfigCredentials(config);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
