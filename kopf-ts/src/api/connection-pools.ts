import { createHash } from "node:crypto";
import { type Dispatcher, Pool, ProxyAgent } from "undici";
import type { Access, TlsSettings } from "./credentials.ts";

interface Pools {
  readonly calls: Dispatcher;
  readonly watches: Dispatcher;
  readonly tlsFingerprint: string;
}

interface ConnectionOptions {
  readonly origin: string;
  /** An HTTP proxy in between. */
  readonly proxy: string | undefined;
  /** For calls; those of watches have no limit. */
  readonly connections: number;
}

/** Kept-alive connections to one server: a pool for calls and one for watches. */
export class ConnectionPools {
  readonly #options: ConnectionOptions;
  #pools: Pools | undefined;
  #access: Access | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Rotated certificates need new connections; the old pools end when their last exchange does. */
  for(access: Access): Pools {
    if (this.#pools && access === this.#access) return this.#pools;
    const tlsFingerprint = fingerprint(access.tls);
    if (this.#pools?.tlsFingerprint !== tlsFingerprint) {
      void this.#pools?.calls.close();
      void this.#pools?.watches.close();
      this.#pools = {
        calls: this.#newPool(access.tls, this.#options.connections),
        watches: this.#newPool(access.tls, null),
        tlsFingerprint,
      };
    }
    this.#access = access;
    return this.#pools as Pools;
  }

  /** Closes every connection. */
  async destroy(): Promise<void> {
    const pools = this.#pools;
    this.#pools = undefined;
    await Promise.all([pools?.calls.destroy(), pools?.watches.destroy()]);
  }

  #newPool(tls: TlsSettings, connections: number | null): Dispatcher {
    // HTTP/1.1: with Node's HTTP/2 a pass that writes costs a quarter more CPU (bench/operator, burst), and one lost
    // connection fails every call on it.
    const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000, allowH2: false };
    const { origin, proxy } = this.#options;
    if (proxy) return new ProxyAgent({ uri: proxy, requestTls: connect, connections });
    return new Pool(origin, { connections, pipelining: 1, connect, allowH2: false, keepAliveTimeout: 60_000 });
  }
}

function fingerprint(tls: TlsSettings): string {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(tls)) hash.update(`${name}\0`).update(typeof value === "boolean" ? String(value) : value);
  return hash.digest("hex");
}
