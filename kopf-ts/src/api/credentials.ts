import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { isErrno } from "../core/errors.ts";

/** Settings for `tls.connect`. */
export interface TlsSettings {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  pfx?: string | Buffer;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** How to reach the server right now; tokens and certificates are rotated, so this is read repeatedly. */
export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsSettings;
}

/** Where the API server is and what it accepts from us. Implement it for a custom authentication. */
export interface Credentials {
  /** `https://host:port`, perhaps with a path. */
  readonly server: string;
  /** An HTTP proxy in between. */
  readonly proxy?: string;
  /** The namespace of the context, or of the pod. */
  readonly namespace?: string;
  /**
   * Called before a request when the last result is older than half a minute, and after a 401.
   *
   * @param refused - True after a 401: what was returned last is not accepted any more, whatever its own expiry says.
   */
  access(refused?: boolean): Promise<Access>;
}

/** For a server that needs no credentials, or always the same. */
export function staticCredentials(server: string, access: Partial<Access> = {}): Credentials {
  const answer = { headers: access.headers ?? {}, tls: access.tls ?? {} };
  return { server, access: () => Promise.resolve(answer) };
}

/** What is needed of a KubeConfig of `@kubernetes/client-node`, which need not be installed where no kubeconfig is read. */
export interface KubeConfigLike {
  /** The name of the context. */
  getCurrentContext(): string;
  /** The context of this name. */
  getContextObject(name: string): { readonly namespace?: string | undefined } | null;
  /** The cluster of the context. */
  getCurrentCluster(): { readonly name: string; readonly server: string; readonly proxyUrl?: string | undefined } | null;
  /** The user of the context. */
  getCurrentUser(): { readonly name: string; readonly token?: string | undefined } | null;
  /** Puts headers and certificates into the options of an HTTPS request. */
  applyToHTTPSOptions(options: object): Promise<void>;
}

/**
 * Everything client-node's KubeConfig knows: certificates, tokens, exec plugins, OIDC, impersonation.
 *
 * @param options - `tokenFile`: where the token is, which is read again as it changes. client-node passes over the
 *   `tokenFile` of a kubeconfig's user; `defaultCredentials` does not.
 */
export function kubeConfigCredentials(config: KubeConfigLike, options: { readonly tokenFile?: string | undefined } = {}): Credentials {
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
    async access(refused = false) {
      if (refused) forgetCredentials(config);
      const { headers, tls } = cluster.server.startsWith("http:") ? plainAccess(config) : await encryptedAccess(config);
      if (!options.tokenFile) return { headers, tls };
      const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization");
      return { headers: { ...Object.fromEntries(others), ...bearer(await readFile(options.tokenFile, "utf8")) }, tls };
    },
  };
}

/**
 * client-node keeps what an exec plugin returned without an expiry for as long as the process lives
 * (kubernetes-client/javascript#228): the plugin is asked again.
 */
function forgetCredentials(config: KubeConfigLike): void {
  const { authenticators = [] } = config as KubeConfigLike & { authenticators?: readonly { tokenCache?: unknown }[] };
  for (const authenticator of authenticators) if (authenticator.tokenCache) authenticator.tokenCache = {};
}

/** client-node refuses plain HTTP, which `kubectl proxy` and local test servers speak. */
function plainAccess(config: KubeConfigLike): Access {
  const token = config.getCurrentUser()?.token;
  return { headers: token ? bearer(token) : {}, tls: {} };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token.trim()}` });

async function encryptedAccess(config: KubeConfigLike): Promise<Access> {
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
      return { headers: bearer(token), tls: { ca } };
    },
  };
}

/** In a pod its service account; elsewhere the kubeconfig that kubectl would use. */
export async function defaultCredentials(environment: Readonly<Record<string, string | undefined>>): Promise<Credentials> {
  if (!environment.KUBECONFIG) {
    const inCluster = await inClusterCredentials(environment);
    if (inCluster) return inCluster;
  }
  const { KubeConfig: Config } = await clientNode();
  const config = new Config();
  const named = environment.KUBECONFIG?.split(delimiter).filter((path) => path !== "");
  const texts = await readAll(named ?? [join(homedir(), ".kube", "config")]);
  if (named && texts.size === 0) throw new Error(`KUBECONFIG names ${named.join(" and ")}, where no file is`);
  if (named) loadAll(config, [...texts.keys()]);
  else config.loadFromDefault();
  return kubeConfigCredentials(config, { tokenFile: tokenFileOf(config.getCurrentUser()?.name, texts) });
}

/** The files that are there, by path: as kubectl does, others are passed over. */
async function readAll(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const path of paths) {
    const text = await readIfThere(path);
    if (text !== undefined) texts.set(path, text);
  }
  return texts;
}

/** The first file that names a context decides which is the current one. */
function loadAll(config: KubeConfig, [first = "", ...others]: readonly string[]): void {
  config.loadFromFile(first);
  for (const path of others) {
    const part = new (config.constructor as new () => KubeConfig)();
    part.loadFromFile(path);
    config.mergeConfig(part, Boolean(config.currentContext));
  }
}

async function clientNode(): Promise<typeof import("@kubernetes/client-node")> {
  try {
    return await import("@kubernetes/client-node");
  } catch (error) {
    if (!isErrno(error, "ERR_MODULE_NOT_FOUND")) throw error;
    throw new Error(
      "a kubeconfig is read by @kubernetes/client-node, which is not installed: npm install @kubernetes/client-node (in a pod it is not needed)",
      {
        cause: error,
      },
    );
  }
}

/** Relative to the kubeconfig that names it. It goes before a token, as with kubectl. */
function tokenFileOf(user: string | undefined, texts: ReadonlyMap<string, string>): string | undefined {
  for (const [path, text] of texts) {
    const { users = [] } = (parse(text) ?? {}) as { users?: { name: string; user?: { tokenFile?: string } }[] };
    const found = users.find(({ name }) => name === user);
    if (found) return found.user?.tokenFile && resolve(dirname(path), found.user.tokenFile);
  }
  return undefined;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
